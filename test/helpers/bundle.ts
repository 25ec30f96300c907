import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles a program with JSX as the build does, into one file that runs by itself. */
export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    absWorkingDir: fileURLToPath(new URL("../..", import.meta.url)),
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    alias: { "react-devtools-core": fileURLToPath(new URL("./no-devtools.mjs", import.meta.url)) },
    banner: {
      js: "import { createRequire as zorCreateRequire } from 'node:module'; const require = zorCreateRequire(import.meta.url);",
    },
    logLevel: "warning",
  });
}
