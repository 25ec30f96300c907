// Runs every static check and the unit tests, two at a time, and prints one line each.
// With ZOR_TEST_REPORTS set to a directory it leaves check.json and unit.json there for the test runner.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { wardedCommand } from "../lib/owned-process.ts";

// The longest first, so that both lanes are busy to the end.
const steps = ["test:unit", "types", "words", "deps", "dead", "lint", "format:check", "gen:check", "buf:lint"];
const lanes = 2;
const reports = process.env.ZOR_TEST_REPORTS;
const results = [];

function run(step) {
  const more =
    step === "test:unit" && reports !== undefined
      ? ["--", "--reporter=default", "--reporter=json", `--outputFile.json=${join(reports, "unit.json")}`]
      : [];
  return new Promise((resolve) => {
    const began = Date.now();
    const child = spawn(...wardedCommand("npm", ["run", "--silent", step, ...more]), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stderr.on("data", (chunk) => output.push(chunk));
    child.on("close", (code) => {
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok  " : "FAIL"} ${step} (${seconds} s)`);
      if (code !== 0 || step === "test:unit") process.stdout.write(Buffer.concat(output));
      results.push({ name: step, ok: code === 0 });
      resolve();
    });
  });
}

const queue = [...steps];
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) await run(step);
  }),
);
if (reports !== undefined) writeFileSync(join(reports, "check.json"), JSON.stringify({ steps: results }));
process.exit(results.every((result) => result.ok) ? 0 : 1);
