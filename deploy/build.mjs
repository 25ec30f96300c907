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
    "cable-engine": "agent/network/c2c/engine/main.ts",
    "cable-worker": "agent/network/c2c/engine/worker.ts",
    hub: "hub/main.ts",
    cli: "tui/cli/main.ts",
    tui: "tui/main.tsx",
    deploy: "deploy/main.ts",
  },
  outdir: "dist",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  jsx: "automatic",
  sourcemap: "linked",
  // Native or self-locating packages stay in node_modules.
  external: ["koffi", "ssh2", "react-devtools-core", "grpc-health-check"],
  banner: {
    js: "import { createRequire as zorCreateRequire } from 'node:module'; const require = zorCreateRequire(import.meta.url);",
  },
  logLevel: "warning",
});
chmodSync(join(root, "zor"), 0o755);
