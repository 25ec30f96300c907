// How programs become files that run by themselves: for the build, for benchmarks and for `npm run watch`.
import { copyFileSync, mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Every program but the command line: name of the file in dist/ and where it begins. */
export const programs = {
  agent: "agent/main.ts",
  "cable-engine": "agent/engine/main.ts",
  "cable-worker": "agent/engine/threads/cable-worker.ts",
  "box-worker": "agent/engine/threads/box-worker.ts",
  "capture-worker": "agent/network/captures/worker.ts",
  "console-pump": "agent/pump/main.ts",
  "lan-relay": "agent/relay/main.ts",
  hub: "hub/main.ts",
  "hub-relay": "hub/relay/kept/main.ts",
  "relay-worker": "hub/relay/splice/worker.ts",
  join: "hub/join/main.ts",
  tui: "tui/main.tsx",
  deploy: "deploy/main.ts",
};

// React's development build is several times slower.
const define = { "process.env.NODE_ENV": '"production"' };

/** Native or self-locating packages stay in node_modules. */
const external = ["koffi", "ssh2"];
/** Packages that programs load from node_modules while they run: those, and what is loaded only where it is needed. */
export const loadedLater = [...external, "string-width"];

/** What all bundles have in common. */
const common = {
  absWorkingDir: root,
  // Runs before anything else of every program, threads included.
  inject: ["lib/environment/pin.ts"],
  bundle: true,
  platform: "node",
  target: "node24",
  jsx: "automatic",
  sourcemap: "linked",
  external,
  // Ink imports React's developer tools, which are not installed, when DEV is set; an import left as it is would fail at start.
  plugins: [
    {
      name: "no-devtools",
      setup(bundle) {
        bundle.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: "empty" }));
        bundle.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "export default {}" }));
      },
    },
    // Yoga fetches its own code from a data URL where there is a fetch: loading Node's takes half a second, decoding it without a twentieth.
    {
      name: "no-fetch",
      setup(bundle) {
        bundle.onLoad({ filter: /[\\/]yoga-wasm-base64-esm\.js$/ }, async ({ path }) => ({
          contents: `const fetch = undefined;\n${await readFile(path, "utf8")}`,
        }));
      },
    },
  ],
  logLevel: "warning",
};

/** Options of esbuild for programs that are one ES module each. */
export function moduleOptions(outdir, entryPoints) {
  return {
    ...common,
    define,
    outdir,
    entryPoints,
    format: "esm",
    // A source with one character beyond ASCII, be it in a library's comment, is kept with two bytes for each. Names stay, and so do lines.
    minifyWhitespace: true,
    lineLimit: 160,
    banner: {
      js: "import { createRequire as zorCreateRequire } from 'node:module'; const require = zorCreateRequire(import.meta.url);",
    },
  };
}

/**
 * Options of esbuild for zor's command line. People wait for every start of this one: as a CommonJS script it loads no built-in module
 * before it is needed, and V8 can be given what it compiled of it before (start-cli.cjs).
 */
export function commandLineOptions(outdir) {
  return {
    ...common,
    define: { ...define, "import.meta.url": "zorUrl" },
    outdir,
    entryPoints: { "cli-main": "tui/cli/main.ts" },
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    minifySyntax: true,
    minifyWhitespace: true,
    banner: {
      js: '(function (exports, require, module, __filename, __dirname) { const zorUrl = require("node:url").pathToFileURL(__filename).href;',
    },
    footer: { js: "})" },
  };
}

/** Bundles programs; `entryPoints` as in {@link programs}. */
export async function bundleModules(outdir, entryPoints) {
  await build(moduleOptions(outdir, entryPoints));
}

/** Bundles zor's command line: cli.cjs starts cli-main.cjs. */
export async function bundleCommandLine(outdir) {
  mkdirSync(outdir, { recursive: true });
  copyFileSync(join(root, "deploy/start-cli.cjs"), join(outdir, "cli.cjs"));
  await build(commandLineOptions(outdir));
}
