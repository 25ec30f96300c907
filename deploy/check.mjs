// Runs every static check and the unit tests, two at a time, and prints one line each.
import { spawn } from "node:child_process";

const steps = ["gen:check", "buf:lint", "format:check", "lint", "types", "deps", "dead", "test:unit"];
const lanes = 2;
let failed = 0;

function run(step) {
  return new Promise((resolve) => {
    const began = Date.now();
    const child = spawn("npm", ["run", "--silent", step], { stdio: ["ignore", "pipe", "pipe"] });
    const output = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stderr.on("data", (chunk) => output.push(chunk));
    child.on("close", (code) => {
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok  " : "FAIL"} ${step} (${seconds} s)`);
      if (code !== 0 || step === "test:unit") process.stdout.write(Buffer.concat(output));
      if (code !== 0) failed += 1;
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
process.exit(failed === 0 ? 0 : 1);
