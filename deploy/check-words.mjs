// Refuses texts made of something that may be undefined or an object: "undefined" and "[object Object]" end up in front of people. Looks
// at every template, every String() and every + with a string in the programs, with the types the compiler knows.
import { relative } from "node:path";
import ts from "typescript";

const root = process.cwd();
const config = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
const { fileNames, options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
const program = ts.createProgram(fileNames, options);
const checker = program.getTypeChecker();
const { TypeFlags } = ts;
const sayable =
  TypeFlags.StringLike |
  TypeFlags.NumberLike |
  TypeFlags.BigIntLike |
  TypeFlags.BooleanLike |
  TypeFlags.EnumLike |
  TypeFlags.ESSymbolLike |
  TypeFlags.Never;

/** Also what is left of unknown once undefined is ruled out. */
function isUnknown(type) {
  if ((type.flags & (TypeFlags.Unknown | TypeFlags.Any)) !== 0) return true;
  return /^\{\}(?: \| null)?$/.test(checker.typeToString(type));
}

function isSayable(type) {
  if (type.isUnion()) return type.types.every(isSayable);
  if ((type.flags & sayable) !== 0) return true;
  // Branded text.
  if (type.isIntersection()) return type.types.some(isSayable);
  const bound = (type.flags & TypeFlags.TypeParameter) === 0 ? undefined : checker.getBaseConstraintOfType(type);
  return bound !== undefined && isSayable(bound);
}

const isText = (type) => (type.flags & TypeFlags.StringLike) !== 0;

/** The expressions in a node that become part of a text. */
function saidIn(node) {
  if (ts.isTemplateExpression(node) && !ts.isTaggedTemplateExpression(node.parent)) {
    return node.templateSpans.map(({ expression }) => expression);
  }
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "String") {
    // Of what is not known a conversion is asked for in so many words.
    return node.arguments.filter((each) => !isUnknown(checker.getTypeAtLocation(each)));
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const { left, right } = node;
    const [a, b] = [left, right].map((side) => checker.getTypeAtLocation(side));
    return [...(isText(a) ? [right] : []), ...(isText(b) ? [left] : [])];
  }
  return [];
}

let faults = 0;
function look(file, node) {
  for (const expression of saidIn(node)) {
    const type = checker.getTypeAtLocation(expression);
    if (isSayable(type)) continue;
    const { line } = file.getLineAndCharacterOfPosition(expression.getStart());
    const place = `${relative(root, file.fileName)}:${line + 1}`;
    console.error(`${place}: ${expression.getText()} (${checker.typeToString(type)}) may not be a text`);
    faults += 1;
  }
  ts.forEachChild(node, (child) => look(file, child));
}

for (const file of program.getSourceFiles()) {
  if (/^(?:agent|hub|lib|tui|deploy)\//.test(relative(root, file.fileName))) look(file, file);
}
process.exit(faults === 0 ? 0 : 1);
