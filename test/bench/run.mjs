// npm run bench -- NAME [ARGUMENTS]: bundles test/bench/NAME and runs it on the pinned Node.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { bundleModules, bundleScripts, programs, scripts } from "../../deploy/bundles.mjs";
import { keepCompiledCode } from "../../deploy/compiled-code.mjs";
import { boundCommand } from "../../lib/owned-process.ts";
import { findMissing, needs, summarize, thisMachine } from "./needs.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const names = Object.keys(needs);
const argv = process.argv.slice(2);
const [name = ""] = argv;
const words = argv.slice(1).filter((word) => word !== "--yes");
if (!names.includes(name)) {
  const list = names.map((each) => `  ${each.padEnd(10)} needs ${summarize(needs[each])}`);
  console.error(
    `npm run bench -- NAME [--yes] [ARGUMENTS]; --yes installs what is missing. NAME is one of:\n${list.join("\n")}`,
  );
  process.exit(2);
}
await ensureNeeds(name, argv.includes("--yes"));
// The programs a benchmark starts lie beside it in a dist/ of its own, so that they are those of the sources as they are now
// and no build that happens meanwhile changes them.
const directory = await mkdtemp(join(tmpdir(), "zt-bench-"));
await symlink(join(root, "node_modules"), join(directory, "node_modules"));
await writeFile(join(directory, "package.json"), '{ "type": "module" }');
const entry = [`${name}.ts`, `${name}.tsx`].map((file) => join(here, file)).find((file) => existsSync(file));
const dist = join(directory, "dist");
await bundleModules(dist, {
  ...programs,
  bench: entry,
  "loop-monitor": "test/bench/hub/loop-monitor.ts",
  "least-client": "test/bench/cli/least-client.ts",
});
await copyFile(join(root, "zor"), join(directory, "zor"));
// What people start is measured as it is built.
if (["cli", "machines", "tui"].includes(name)) {
  await bundleScripts(dist, scripts);
  await keepCompiledCode(dist);
}
const node = join(root, "node_modules/.bin/node");
// Of the lists that it reads it makes garbage: that is not what is measured.
const flags = name === "hub" ? ["--max-semi-space-size=64"] : [];
const child = spawn(...boundCommand(node, [...flags, join(directory, "dist/bench.js"), ...words]), {
  stdio: "inherit",
});
// The benchmark gets the terminal's signals itself and takes down what it has made; this process must outlive it.
for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("close", async (code) => {
  await rm(directory, { recursive: true, force: true });
  process.exit(code ?? 1);
});

/** Ends this process, with what to do, unless the machine has all that the benchmark needs or gets it now. */
async function ensureNeeds(bench, yes) {
  const missing = findMissing(needs[bench], thisMachine);
  if (missing === undefined) return;
  const install = "npm run setup -- --tests";
  console.error(`bench ${bench} cannot run here; missing:\n${missing.lines.map((line) => `  ${line}`).join("\n")}`);
  if (!missing.canInstall) process.exit(1);
  if (!yes && !(await agrees(`Install it now with: ${install}? [y/N] `))) {
    console.error(`install it with: ${install}\nor run again with --yes: npm run bench -- ${argv.join(" ")} --yes`);
    process.exit(1);
  }
  const setup = spawn("bash", [join(root, "deploy/setup.sh"), "--tests"], { stdio: "inherit" });
  const code = await new Promise((resolve) => setup.on("close", resolve));
  if (code !== 0) process.exit(1);
  const still = findMissing(needs[bench], thisMachine);
  if (still === undefined) return;
  console.error(`still missing:\n${still.lines.map((line) => `  ${line}`).join("\n")}`);
  process.exit(1);
}

/** Asks on a terminal; without one the answer is no. */
async function agrees(question) {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const asked = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asked.question(question);
  asked.close();
  return /^y(es)?$/i.test(answer.trim());
}
