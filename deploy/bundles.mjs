// How programs become files that run by themselves: for the build, for benchmarks and for `npm run watch`.
import { copyFileSync, mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Programs that are one ES module each: name of the file in dist/ and where it begins. */
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
  deploy: "deploy/main.ts",
};

/** Programs that are one CommonJS script each: people wait for every start of these. */
export const scripts = { cli: "tui/cli/main.ts", tui: "tui/main.tsx" };

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
  plugins: [
    // Ink looks for React's developer tools when DEV is set: they are not installed, and a script cannot wait for them.
    {
      name: "no-devtools",
      setup(bundle) {
        bundle.onLoad({ filter: /[\\/]ink[\\/]build[\\/]reconciler\.js$/ }, async ({ path }) => ({
          contents: (await readFile(path, "utf8")).replaceAll("process.env['DEV'] === 'true'", "false"),
        }));
      },
    },
    // Zod brings its messages in fifty languages along: half of what it is.
    {
      name: "one-language",
      setup(bundle) {
        bundle.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
          contents: 'export { default as en } from "./en.js";',
        }));
      },
    },
    // Yoga waits for its own code, which it fetches from a data URL: loading Node's fetch takes half a second, and a script cannot wait.
    {
      name: "yoga-at-once",
      setup(bundle) {
        const code = /H="data:application\/octet-stream;base64,([^"]*)"/;
        const binary = /[\\/]yoga-wasm-base64-esm\.js$/;
        bundle.onLoad({ filter: binary }, async ({ path }) => ({
          contents: (await readFile(path, "utf8")).replace(code, 'H=""'),
        }));
        bundle.onLoad({ filter: /[\\/]yoga-layout[\\/]dist[\\/]src[\\/]index\.js$/ }, async ({ path }) => {
          const source = await readFile(path, "utf8");
          const [, base64] = code.exec(
            await readFile(join(dirname(path), "../binaries/yoga-wasm-base64-esm.js"), "utf8"),
          );
          const waiting = "const Yoga = wrapAssembly(await loadYoga());";
          if (!source.includes(waiting)) throw new Error(`${path} loads its code in another way now`);
          return { contents: source.replace(waiting, () => yogaAtOnce(base64)) };
        });
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
 * Options of esbuild for {@link scripts}. As a CommonJS script a program loads no built-in module before it is needed, and V8 can be given
 * what it compiled of it before (start-script.cjs).
 */
export function scriptOptions(outdir, entryPoints) {
  return {
    ...common,
    define: { ...define, "import.meta.url": "zorUrl" },
    outdir,
    entryPoints: Object.fromEntries(Object.entries(entryPoints).map(([name, entry]) => [`${name}-main`, entry])),
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

/** Bundles programs; `entryPoints` as in {@link scripts}: cli.cjs starts cli-main.cjs. */
export async function bundleScripts(outdir, entryPoints) {
  placeStarts(outdir, entryPoints);
  await build(scriptOptions(outdir, entryPoints));
}

/** Puts down what starts scripts. */
export function placeStarts(outdir, entryPoints) {
  mkdirSync(outdir, { recursive: true });
  for (const name of Object.keys(entryPoints))
    copyFileSync(join(root, "deploy/start-script.cjs"), join(outdir, `${name}.cjs`));
}

/** What makes yoga of its code without waiting. */
function yogaAtOnce(base64) {
  return `const parts = {
    instantiateWasm(imports, take) {
      const instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from("${base64}", "base64")), imports);
      take(instance);
      return instance.exports;
    },
  };
  loadYoga(parts);
  const Yoga = wrapAssembly(parts);`;
}
