// Bundles the programs into dist/, one file each, so that they start fast and carry no TypeScript.
import { chmodSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleModules, bundleScripts, programs, scripts } from "./bundles.mjs";
import { keepCompiledCode } from "./compiled-code.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
await Promise.all([bundleModules(dist, programs), bundleScripts(dist, scripts)]);
await keepCompiledCode(dist);
chmodSync(join(root, "zor"), 0o755);
