// Runs the checks and every test suite, two suites at a time, looks for leftovers, and ends with the totals.
// Arguments choose suites: `npm test -- e2e` runs only that one. Exits 1 when anything failed, was skipped or was left behind.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const suiteLimitMs = 25 * 60_000;
const vitest = (project, report) => [
  "vitest",
  ["run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
];
/** Suites of one group run at the same time; groups run one after the other. `check` fills both cores by itself. */
const groups = [["check"], ["contract", "integration"], ["e2e"]];

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !groups.flat().includes(name));
if (unknown.length > 0) {
  console.error(`zor: no such suite: ${unknown.join(", ")}; there are: ${groups.flat().join(", ")}`);
  process.exit(64);
}

const reports = mkdtempSync(join(tmpdir(), "zor-test-"));
const children = new Set();
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    interrupted = true;
    for (const child of children) end(child, "SIGTERM");
  });
}

/** Signals a suite with all its processes: each is a process group of its own. */
function end(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

/** Runs one suite with every line of output marked by its name. Resolves to its exit code. */
function run(name) {
  const report = join(reports, `${name}.json`);
  const [command, argv] = name === "check" ? ["node", ["deploy/check.mjs"]] : vitest(name, report);
  return new Promise((resolve) => {
    const began = Date.now();
    const child = spawn(command, argv, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: {
        ...process.env,
        ZOR_TEST_REPORTS: reports,
        ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" }),
      },
    });
    children.add(child);
    const limit = setTimeout(() => {
      console.log(`${name} | runs for more than ${suiteLimitMs / 60_000} minutes: ended`);
      end(child, "SIGKILL");
    }, suiteLimitMs);
    for (const stream of [child.stdout, child.stderr]) mark(name, stream);
    child.on("error", (error) => console.log(`${name} | ${error.message}`));
    child.on("close", (code) => {
      clearTimeout(limit);
      children.delete(child);
      resolve({ name, ok: code === 0, seconds: (Date.now() - began) / 1000 });
    });
  });
}

function mark(name, stream) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) console.log(`${name} | ${line}`);
  });
  stream.on("end", () => rest !== "" && console.log(`${name} | ${rest}`));
}

/** Reads a JSON report; undefined when the suite did not get as far as writing one. */
function readReport(name) {
  try {
    return JSON.parse(readFileSync(join(reports, `${name}.json`), "utf8"));
  } catch {
    return undefined;
  }
}

/** Totals of one suite, with a line for everything that did not pass. */
function count(result) {
  const totals = { passed: 0, failed: 0, skipped: 0, notes: [] };
  const addTests = (suite, report) => {
    totals.passed += report.numPassedTests;
    totals.failed += report.numFailedTests;
    totals.skipped += report.numPendingTests + report.numTodoTests;
    for (const file of report.testResults) {
      if (file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed")) {
        totals.failed += 1;
        totals.notes.push(`FAILED  ${suite}: ${file.name}: ${String(file.message).split("\n")[0]}`);
      }
      for (const test of file.assertionResults) {
        if (test.status === "passed") continue;
        totals.notes.push(`${test.status.toUpperCase().padEnd(7)} ${suite}: ${test.fullName}`);
      }
    }
  };
  const report = readReport(result.name);
  if (result.name === "check") {
    for (const step of (report?.steps ?? []).filter((step) => step.name !== "test:unit")) {
      totals[step.ok ? "passed" : "failed"] += 1;
      if (!step.ok) totals.notes.push(`FAILED  check: npm run ${step.name}`);
    }
    const unit = readReport("unit");
    if (unit !== undefined) addTests("unit", unit);
  } else if (report !== undefined) {
    addTests(result.name, report);
  }
  if (totals.passed + totals.failed === 0) totals.notes.push(`FAILED  ${result.name}: no test ran`);
  if (!result.ok && totals.failed === 0) totals.notes.push(`FAILED  ${result.name}: ended with an error`);
  if ((!result.ok && totals.failed === 0) || totals.passed + totals.failed === 0) totals.failed += 1;
  return totals;
}

const began = Date.now();
const before = join(reports, "before.json");
const leftovers = (...argv) => execFileSync("node", ["test/helpers/leftovers.ts", ...argv], { encoding: "utf8" });
writeFileSync(before, leftovers("capture"));

const results = [];
for (const group of groups) {
  const names = group.filter((name) => chosen.length === 0 || chosen.includes(name));
  if (!interrupted) results.push(...(await Promise.all(names.map(run))));
}

const sum = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
console.log("");
for (const result of results) {
  const totals = count(result);
  for (const key of Object.keys(sum)) sum[key] += totals[key];
  notes.push(...totals.notes);
  const figures = `${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`;
  console.log(`${result.name.padEnd(12)} ${figures} in ${result.seconds.toFixed(0)} s`);
}
let left = [];
try {
  leftovers("compare", before);
} catch (error) {
  left = String(error.stdout ?? error)
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
rmSync(reports, { recursive: true, force: true });
console.log(`${sum.passed} passed, ${good ? 0 : Math.max(1, sum.failed + sum.skipped)} failed`);
process.exit(good ? 0 : 1);
