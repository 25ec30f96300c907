// Runs the checks, then every other suite with several test files at a time (vitest.config.ts), looks for leftovers, and ends with the totals.
// Arguments choose suites: `npm test -- e2e` runs only that one, `npm test -- long` those which take too long for every time. Exits 1 when anything failed, was skipped or was left behind.
import { execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { wardedCommand, wardenEnd } from "../lib/owned-process.ts";

/** Longer than the slowest processor that was tried needs, by half. */
const limitMs = 55 * 60_000;
/**
 * The suites and, of those that vitest runs, their projects. A test belongs to the suite whose folder below test/ it is in, and to "long" when
 * its file's name says so.
 */
const suites = {
  check: [],
  contract: ["contract"],
  integration: ["integration", "measured"],
  e2e: ["e2e"],
  long: ["long", "faults", "waiting"],
};

/** Does next to nothing for minutes: runs beside all others. */
const beside = "waiting";

const names = Object.keys(suites);
const words = process.argv.slice(2);
const unknown = words.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`zor: no such suite: ${unknown.join(", ")}; there are: ${names.join(", ")}`);
  process.exit(64);
}
const chosen = names.filter((name) => (words.length === 0 ? name !== "long" : words.includes(name)));

/** Is in the names of everything that the tests of this run make: see test/helpers/run-tag.ts. */
const tag = `zt${Array.from({ length: 5 }, () => randomInt(36).toString(36)).join("")}`;
/** Temporary files of this run. Short, since unix sockets are in there; open to the users that machines run as. */
const temporary = join(tmpdir(), tag);
const reports = join(temporary, "reports");
mkdirSync(reports, { recursive: true, mode: 0o755 });

const running = new Set();
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    interrupted = true;
    endAll();
  });
}

function endAll() {
  for (const child of running) child.kill(wardenEnd);
}

/** Runs a program to its end, which comes with ours at the latest. Resolves to whether it ended well, and how long it took. */
async function run(what, command, argv) {
  const began = Date.now();
  const child = spawn(...wardedCommand(command, argv), {
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
    env: {
      ...process.env,
      ...(process.stdout.isTTY ? {} : { NO_COLOR: "1" }),
      TMPDIR: temporary,
      ZOR_TEST_RUN: tag,
      ZOR_TEST_REPORTS: reports,
    },
  });
  running.add(child);
  const problems = [];
  const limit = setTimeout(() => {
    problems.push(`${what} ran for more than ${limitMs / 60_000} minutes and was ended`);
    child.kill(wardenEnd);
  }, limitMs);
  const code = await new Promise((resolve) => {
    child.on("error", (error) => {
      problems.push(`${what}: ${error.message}`);
      resolve(undefined);
    });
    child.on("close", resolve);
  });
  clearTimeout(limit);
  running.delete(child);
  return { ok: code === 0, problems, seconds: Math.round((Date.now() - began) / 1000) };
}

/** Runs projects of vitest, which leaves a JSON report of that name. */
function runTests(report, projects) {
  const chosen = projects.flatMap((project) => ["--project", project]);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${join(reports, `${report}.json`)}`];
  return run("vitest", "vitest", ["run", ...chosen, ...reporters]);
}

/** Reads a JSON report; undefined when the program did not get as far as writing one. */
function readReport(name) {
  try {
    return JSON.parse(readFileSync(join(reports, `${name}.json`), "utf8"));
  } catch {
    return undefined;
  }
}

const nothing = () => ({ passed: 0, failed: 0, skipped: 0, notes: [] });

/** Adds the tests of one file, with a note for everything that did not pass. */
function addFile(totals, suite, file) {
  const path = relative(process.cwd(), file.name);
  const note = (verdict, text) => totals.notes.push(`${verdict.padEnd(7)} ${suite}: ${path}: ${text}`);
  for (const test of file.assertionResults) {
    if (test.status === "passed") totals.passed += 1;
    else if (test.status === "failed") {
      totals.failed += 1;
      note("FAILED", [test.fullName, ...test.failureMessages.map(firstLine)].join("\n            "));
    } else {
      totals.skipped += 1;
      note("SKIPPED", test.fullName);
    }
  }
  // Nothing of it ran, or a hook failed when its tests were over.
  if (file.status !== "failed" || file.assertionResults.some((test) => test.status === "failed")) return;
  totals.failed += 1;
  note("FAILED", firstLine(file.message) || "ended with an error outside its tests");
}

function firstLine(text) {
  return stripVTControlCharacters(String(text ?? ""))
    .trim()
    .split("\n")[0]
    .slice(0, 500);
}

/** Totals of the checks: one for each step, and the unit tests. */
function countChecks() {
  const totals = nothing();
  for (const step of (readReport("check")?.steps ?? []).filter((step) => step.name !== "test:unit")) {
    totals[step.ok ? "passed" : "failed"] += 1;
    if (!step.ok) totals.notes.push(`FAILED  check: npm run ${step.name}`);
  }
  for (const file of readReport("unit")?.testResults ?? []) addFile(totals, "check", file);
  return totals;
}

function suiteOf(path) {
  if (path.endsWith(".long.test.ts")) return "long";
  return names.find((name) => path.startsWith(join(process.cwd(), "test", name, "/")));
}

/** Totals of a suite of tests. */
function countSuite(suite) {
  const totals = nothing();
  for (const file of ["tests", beside].flatMap((name) => readReport(name)?.testResults ?? [])) {
    if (suiteOf(file.name) === suite) addFile(totals, suite, file);
  }
  return totals;
}

const began = Date.now();
const before = join(reports, "before.json");
const leftovers = (...argv) => execFileSync("node", ["test/helpers/leftovers.ts", ...argv], { encoding: "utf8" });
writeFileSync(before, leftovers("capture"));

/** What ran: the suites of it, their totals and how it ended. */
const parts = [];
if (chosen.includes("check")) {
  const result = await run("check", "node", ["deploy/check.mjs"]);
  parts.push({ ...result, totals: new Map([["check", countChecks()]]) });
}
const tested = chosen.filter((name) => suites[name].length > 0);
if (tested.length > 0 && !interrupted) {
  const projects = tested.flatMap((name) => suites[name]);
  const results = await Promise.all([
    runTests(
      "tests",
      projects.filter((project) => project !== beside),
    ),
    ...(projects.includes(beside) ? [runTests(beside, [beside])] : []),
  ]);
  parts.push({
    ok: results.every(({ ok }) => ok),
    problems: results.flatMap(({ problems }) => problems),
    seconds: Math.max(...results.map(({ seconds }) => seconds)),
    totals: new Map(tested.map((name) => [name, countSuite(name)])),
  });
}

const sum = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
console.log("");
for (const { ok, problems, seconds, totals } of parts) {
  for (const problem of problems) notes.push(`FAILED  ${problem}`);
  for (const [suite, each] of totals) {
    if (each.passed + each.failed > 0) continue;
    each.failed += 1;
    each.notes.push(`FAILED  ${suite}: no test ran`);
  }
  const failures = [...totals.values()].some((each) => each.failed > 0);
  if (!ok && !failures) {
    sum.failed += 1;
    notes.push(
      `FAILED  ${[...totals.keys()].join(", ")}: every test passed, but the run ended with an error: see above`,
    );
  }
  for (const [suite, each] of totals) {
    for (const key of Object.keys(sum)) sum[key] += each[key];
    notes.push(...each.notes);
    console.log(`${suite.padEnd(12)} ${each.passed} passed, ${each.failed} failed, ${each.skipped} skipped`);
  }
  console.log(`${"".padEnd(12)} in ${seconds} s`);
}
let left = [];
try {
  leftovers("compare", before, tag, temporary);
} catch (error) {
  left = String(error.stdout || error)
    .trim()
    .split("\n");
  sum.failed += 1;
}
console.log(`${"leftovers".padEnd(12)} ${left.length === 0 ? "none" : `${left.length}:`}`);
for (const line of [...left, ...notes]) console.log(`  ${line}`);
if (interrupted) console.log("interrupted");
const seconds = (Date.now() - began) / 1000;
console.log(`in ${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);
const good = sum.failed === 0 && sum.skipped === 0 && !interrupted;
if (sum.skipped > 0) console.log("skipped tests count as failures here: every requirement must be met");
// What was left there may be mounts: nothing is deleted through those.
if (left.length === 0) rmSync(temporary, { recursive: true, force: true });
console.log(`${sum.passed} passed, ${good ? 0 : Math.max(1, sum.failed + sum.skipped)} failed`);
process.exit(good ? 0 : 1);
