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
    plugins: [
      {
        name: "no-devtools",
        setup(bundling) {
          bundling.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: "empty" }));
          bundling.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "export default {}" }));
        },
      },
    ],
    banner: {
      js: "import { createRequire as zorCreateRequire } from 'node:module'; const require = zorCreateRequire(import.meta.url);",
    },
    logLevel: "warning",
  });
}
