// npm run bench -- NAME [ARGUMENTS]: bundles test/bench/NAME and runs it on the pinned Node.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
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
await build({
  absWorkingDir: root,
  entryPoints: {
    bench: entry,
    "cable-engine": "agent/engine/main.ts",
    "cable-worker": "agent/engine/threads/cable-worker.ts",
    "box-worker": "agent/engine/threads/box-worker.ts",
    "relay-worker": "hub/relay/splice/worker.ts",
    hub: "hub/main.ts",
    join: "hub/join/main.ts",
    "loop-monitor": "test/bench/hub/loop-monitor.ts",
  },
  outdir: join(directory, "dist"),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  external: ["koffi", "ssh2", "grpc-health-check"],
  alias: { "react-devtools-core": join(root, "test/helpers/no-devtools.mjs") },
  banner: {
    js: "import { createRequire as zorCreateRequire } from 'node:module'; const require = zorCreateRequire(import.meta.url);",
  },
  logLevel: "warning",
});
const node = join(root, "node_modules/.bin/node");
const child = spawn(...boundCommand(node, [join(directory, "dist/bench.js"), ...words]), { stdio: "inherit" });
// The benchmark gets the terminal's signals itself and takes down what it has made; this process must outlive it.
for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("close", async (code) => {
  await rm(directory, { recursive: true, force: true });
  process.exit(code ?? 1);
});
