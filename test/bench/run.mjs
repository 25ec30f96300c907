// npm run bench -- NAME [ARGUMENTS]: bundles test/bench/NAME and runs it on the pinned Node.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { copyFile, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleCommandLine, bundleModules, programs } from "../../deploy/bundles.mjs";
import { keepCompiledCode } from "../../deploy/compiled-code.mjs";
import { boundCommand } from "../../lib/owned-process.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const names = readdirSync(here)
  .filter((file) => /\.tsx?$/.test(file))
  .map((file) => file.replace(/\.tsx?$/, ""));
const [name = "", ...words] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`npm run bench -- NAME [ARGUMENTS]; NAME is one of: ${names.join(", ")}`);
  process.exit(2);
}
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
if (name === "cli") {
  await bundleCommandLine(dist);
  await keepCompiledCode(dist);
  await copyFile(join(root, "zor"), join(directory, "zor"));
}
const node = join(root, "node_modules/.bin/node");
const child = spawn(...boundCommand(node, [join(directory, "dist/bench.js"), ...words]), { stdio: "inherit" });
// The benchmark gets the terminal's signals itself and takes down what it has made; this process must outlive it.
for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("close", async (code) => {
  await rm(directory, { recursive: true, force: true });
  process.exit(code ?? 1);
});
