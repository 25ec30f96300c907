import { existsSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles a program with JSX as the build does, into one file; packages that it loads when it needs them lie beside it. */
export async function bundle(entry: string, outfile: string): Promise<void> {
  const packages = join(dirname(outfile), "node_modules");
  if (!existsSync(packages)) await symlink(join(root, "node_modules"), packages);
  await build({
    absWorkingDir: root,
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
