// Holds what a linter does not: no file of code beyond 400 lines, no function with more than four positional arguments, no test that waits a
// fixed time for what it could await, no second search by halving, and nothing named in a comment or document that is not there: paths,
// decisions, and what {@link} leads to.
import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";

const maxLines = 400;
const maxArguments = 4;
/** What others have made. */
const foreign = /^(?:\.git|\.zor|node_modules|dist|coverage)$/;
const all = filesIn("");
const files = new Set(all);
const folders = new Set(all.flatMap((file) => ancestors(file)));
const decisions = new Set(all.map((file) => /^docs\/decisions\/(\d{4})/.exec(file)?.[1]));
const faults = [];
/** Files that wait a fixed time. */
const found = new Set();

/** All files in a folder of the project, as paths from its root. */
function filesIn(folder) {
  return readdirSync(folder === "" ? "." : folder, { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (!entry.isDirectory()) return [path];
    return foreign.test(entry.name) ? [] : filesIn(path);
  });
}

function ancestors(file) {
  const parts = file.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** What Node takes only in part, and the function of the project that takes all of it. */
const narrow = [
  [
    "AbortSignal.timeout(",
    "lib/time-limit.ts",
    "throws for a part of a millisecond, for what is over and for what is long",
  ],
];

/** Files of tests that let a time pass that is itself what is tested, and which; benches, fakes and what awaits something do as they must. */
const times = new Map([
  ["test/integration/c2c-faults/long-cut.long.test.ts", "the length of a cut"],
  ["test/integration/c2c-faults/underlay.long.test.ts", "the length of a cut"],
  ["test/integration/c2c-faults/copier.mjs", "how fast is copied"],
  ["test/integration/capture/clocks.long.test.ts", "how far apart frames are"],
  ["test/integration/qemu/exec.long.test.ts", "that a writer is held back all the while"],
  ["test/soak/engines/faults.test.ts", "the moment of a crash"],
  ["test/soak/machines/orphans.test.ts", "the moment of a crash"],
  ["test/soak/machines/shutdown-while-booting.test.ts", "the moment of a request"],
  ["test/soak/tui/slow-link.test.ts", "what comes while nothing happens"],
]);
const mayWait = /^test\/(?:bench|fakes|helpers)\//;

/** Tests await what happens: a fixed wait is too short on a slow machine and too long on any other. */
function checkWaits(file, source) {
  if (!file.startsWith("test/") || mayWait.test(file)) return;
  const delays = new Set(source.statements.flatMap((statement) => delaysOf(statement)));
  const visit = (node) => {
    if (ts.isCallExpression(node) && (delays.has(node.expression.getText()) || isWait(node))) {
      found.add(file);
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      if (!times.has(file)) faults.push(`${file}:${line + 1}: waits a fixed time; await what happens`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** Names under which a file imports the setTimeout that is awaited. */
function delaysOf(statement) {
  if (!ts.isImportDeclaration(statement) || statement.moduleSpecifier.text !== "node:timers/promises") return [];
  const { namedBindings } = statement.importClause ?? {};
  if (namedBindings === undefined) return [];
  if (ts.isNamespaceImport(namedBindings)) return [`${namedBindings.name.text}.setTimeout`];
  return namedBindings.elements
    .filter(({ name, propertyName }) => (propertyName ?? name).text === "setTimeout")
    .map(({ name }) => name.text);
}

/** Whether this is the setTimeout of `new Promise((resolve) => setTimeout(resolve, ms))`; without a time it is the next turn of the loop. */
function isWait({ arguments: given, expression, parent }) {
  if (expression.getText() !== "setTimeout" || given.length < 2 || !ts.isIdentifier(given[0])) return false;
  // One that is kept is ended when something happens before.
  if (ts.isVariableDeclaration(parent)) return false;
  let around = parent;
  while (around !== undefined && !ts.isFunctionLike(around)) around = around.parent;
  const maker = around?.parent;
  if (maker === undefined || !ts.isNewExpression(maker) || maker.expression.getText() !== "Promise") return false;
  return around.parameters[0]?.name.getText() === given[0].text;
}

/** The one search by halving. */
const halving = "lib/first-place.ts";
/** A loop while one end is below the other, of which the next thing that is named is the middle of both. */
const search = /while \((\w+) <=? (\w+)\) \{\s*(?:const|let) \w+ = [^;]*(?:>>>? 1|\/ 2)/;

function checkCode(file, source) {
  const { text } = source;
  checkWaits(file, source);
  if (file !== halving && search.test(text)) faults.push(`${file}: searches by halving: use ${halving}`);
  for (const [call, home, why] of narrow) {
    if (file !== home && /^(?:agent|hub|lib|tui)\//.test(file) && text.includes(call)) {
      faults.push(`${file}: ${call}) ${why}: use ${home}`);
    }
  }
  const lines = text.split("\n").length - 1;
  if (lines > maxLines) faults.push(`${file}: ${lines} lines are more than ${maxLines}; cut it by responsibility`);
  const visit = (node) => {
    const parameters = node.body === undefined ? [] : (node.parameters ?? []);
    if (parameters.length > maxArguments && !isRowOfTable(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      const name = node.name?.getText() ?? "a function";
      faults.push(
        `${file}:${line + 1}: ${name} has ${parameters.length} arguments; more than ${maxArguments} are an object`,
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** Whether a function is given the rows of a table of tests, `it.each([...])("...", (a, b, c, d, e) => ...)`: they come one by one. */
function isRowOfTable({ parent }) {
  if (!ts.isCallExpression(parent) || !ts.isCallExpression(parent.expression)) return false;
  const { expression } = parent.expression;
  return ts.isPropertyAccessExpression(expression) && expression.name.text === "each";
}

/** Paths from the root as texts name them: `agent/host/exec.ts`, `test/unit/lib/`, `deploy/demo/{tool,programs}.ts`. */
const mention = /(?<![\w./@:<>{}~$*-])((?:agent|deploy|docs|hub|lib|proto|test|tui)\/[\w.{},*<>/-]*[\w}*>/])/g;

function checkMentions(file, text) {
  for (const [index, line] of text.split("\n").entries()) {
    for (const [, path] of line.matchAll(mention)) {
      if (!isThere(path)) faults.push(`${file}:${index + 1}: names ${path}, which is not there`);
    }
    for (const [, number] of line.matchAll(/\bdecision (\d{4})\b/g)) {
      if (!decisions.has(number)) faults.push(`${file}:${index + 1}: there is no decision ${number}`);
    }
  }
}

function isThere(path) {
  // What stands for a name says how things are called, such as agent/kinds/<kind>/check.ts, docs/*.md or test/bench/NAME.ts.
  const [fixed] = path.split(/[^/]*(?:[<*]|\b[A-Z]{2,}\b)/, 1);
  return alternatives(fixed).every((each) => {
    const plain = each.replace(/\/$/, "");
    return files.has(plain) || folders.has(plain) || files.has(`${plain}.ts`);
  });
}

/** "a/{b,c}.ts" is a/b.ts and a/c.ts. */
function alternatives(path) {
  const braces = /\{([^{}]*)\}/.exec(path);
  if (braces === null) return [path];
  return braces[1].split(",").flatMap((each) => alternatives(path.replace(braces[0], each)));
}

/** Whether what comments lead to is anywhere in the code beside them. */
function checkLinks(file, comments, text) {
  for (const [index, line] of comments.split("\n").entries()) {
    for (const [, name] of line.matchAll(/\{@link (\w+)/g)) {
      const uses = (part) => part.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0;
      if (uses(text) === uses(comments))
        faults.push(`${file}:${index + 1}: links to ${name}, which is not in this file`);
    }
  }
}

/** The comments of a file of code, at their lines. */
function commentsOf(source) {
  const characters = source.text.split("");
  const blank = (node) => {
    // What looks like a comment inside a text is none.
    if (ts.isLiteralExpression(node) || ts.isTemplateLiteralToken(node) || ts.isJsxText(node)) {
      for (let at = node.getStart(source); at < node.end; at += 1) if (characters[at] !== "\n") characters[at] = " ";
    }
    ts.forEachChild(node, blank);
  };
  blank(source);
  const code = characters.join("");
  const comments = [...code.matchAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g)];
  let kept = "";
  let at = 0;
  for (const { index, 0: comment } of comments) {
    kept += code.slice(at, index).replace(/[^\n]/g, " ") + comment;
    at = index + comment.length;
  }
  return kept;
}

for (const file of all.filter((each) => !/(?:^|\/)gen\//.test(each))) {
  const isCode = /\.(?:ts|tsx|mjs|cjs)$/.test(file);
  const isDocument = /\.md$/.test(file) && file !== "CHANGELOG.md";
  if (!isCode && !isDocument && !/\.(?:proto|sh)$/.test(file)) continue;
  const text = readFileSync(file, "utf8");
  if (!isCode) {
    checkMentions(file, text);
    continue;
  }
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const comments = commentsOf(source);
  checkCode(file, source);
  checkMentions(file, comments);
  checkLinks(file, comments, text);
}
for (const file of times.keys())
  if (!found.has(file)) faults.push(`${file}: is said to wait a fixed time, and does not`);
for (const fault of faults) console.error(fault);
process.exit(faults.length === 0 ? 0 : 1);
