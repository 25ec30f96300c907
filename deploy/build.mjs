// Bundles the programs into dist/, one file each, so that they start fast and carry no TypeScript.
import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { keepCompiledCode } from "./compiled-code.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
mkdirSync(join(root, "dist"), { recursive: true });
/** What all bundles have in common. */
const common = {
  absWorkingDir: root,
  outdir: "dist",
  // Runs before anything else of every program, threads included.
  inject: ["lib/environment/pin.ts"],
  bundle: true,
  platform: "node",
  target: "node24",
  jsx: "automatic",
  sourcemap: "linked",
  // Native or self-locating packages stay in node_modules.
  external: ["koffi", "ssh2", "grpc-health-check"],
  // Ink imports React's developer tools, which are not installed, when DEV is set; an import left as it is would fail at start.
  plugins: [
    {
      name: "no-devtools",
      setup(bundle) {
        bundle.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: "empty" }));
        bundle.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "export default {}" }));
      },
    },
  ],
  logLevel: "warning",
};
// React's development build is several times slower.
const define = { "process.env.NODE_ENV": '"production"' };

await Promise.all([
  build({
    ...common,
    define,
    entryPoints: {
      agent: "agent/main.ts",
      "cable-engine": "agent/engine/main.ts",
      "cable-worker": "agent/engine/threads/cable-worker.ts",
      "box-worker": "agent/engine/threads/box-worker.ts",
      hub: "hub/main.ts",
      "relay-worker": "hub/relay/splice/worker.ts",
      join: "hub/join/main.ts",
      tui: "tui/main.tsx",
      deploy: "deploy/main.ts",
    },
    format: "esm",
    banner: {
      js: "import { createRequire as zorCreateRequire } from 'node:module'; const require = zorCreateRequire(import.meta.url);",
    },
  }),
  // People wait for every start of this one. As a CommonJS script it loads no built-in module before it is needed, and V8 can be
  // given what it compiled of it before (start-cli.cjs).
  build({
    ...common,
    define: { ...define, "import.meta.url": "zorUrl" },
    entryPoints: { "cli-main": "tui/cli/main.ts" },
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    minifySyntax: true,
    minifyWhitespace: true,
    banner: {
      js: '(function (exports, require, module, __filename, __dirname) { const zorUrl = require("node:url").pathToFileURL(__filename).href;',
    },
    footer: { js: "})" },
  }),
]);
copyFileSync(join(root, "deploy/start-cli.cjs"), join(root, "dist/cli.cjs"));
await keepCompiledCode(root);
chmodSync(join(root, "zor"), 0o755);
