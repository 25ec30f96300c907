// Bundles the programs into dist/, one ES module each, so that they start fast and carry no TypeScript.
import { chmodSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
mkdirSync(join(root, "dist"), { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    agent: "agent/main.ts",
    "cable-engine": "agent/engine/main.ts",
    "cable-worker": "agent/engine/threads/cable-worker.ts",
    "box-worker": "agent/engine/threads/box-worker.ts",
    hub: "hub/main.ts",
    "relay-worker": "hub/relay/splice/worker.ts",
    join: "hub/join/main.ts",
    cli: "tui/cli/main.ts",
    tui: "tui/main.tsx",
    deploy: "deploy/main.ts",
  },
  outdir: "dist",
  // Runs before anything else of every program, threads included.
  inject: ["lib/environment/pin.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  jsx: "automatic",
  sourcemap: "linked",
  // React's development build is several times slower.
  define: { "process.env.NODE_ENV": '"production"' },
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
  banner: {
    js: "import { createRequire as zorCreateRequire } from 'node:module'; const require = zorCreateRequire(import.meta.url);",
  },
  logLevel: "warning",
});
chmodSync(join(root, "zor"), 0o755);
