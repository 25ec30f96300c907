// npm run bench -- NAME [ARGUMENTS]: bundles test/bench/NAME and runs it on the pinned Node.
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

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
const directory = await mkdtemp(join(tmpdir(), "zt-bench-"));
const entry = [`${name}.ts`, `${name}.tsx`].map((file) => join(here, file)).find((file) => existsSync(file));
await build({
  absWorkingDir: root,
  entryPoints: [entry],
  outfile: join(directory, "bench.mjs"),
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
const { status } = spawnSync(node, [join(directory, "bench.mjs"), ...words], { stdio: "inherit" });
await rm(directory, { recursive: true, force: true });
process.exit(status ?? 1);
