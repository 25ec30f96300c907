import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };

/** Version of the project, "0.1.0". */
export const version: string = packageJson.version;

/** Level of the zor.v1 API this build speaks; hub and agent compare them when they meet. */
export const apiLevel = 1;

/** Top folder of the installation. Programs run from dist/, tests from the sources in lib/: both lie one below it. */
export const installationRoot: string = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Path of a bundled program, such as "agent" or "cable-engine". The command line, "cli", is the one that is a CommonJS script. */
export function programPath(program: string): string {
  return join(installationRoot, "dist", `${program}${program === "cli" ? ".cjs" : ".js"}`);
}

/** Path of the Node runtime that is pinned with the project. */
export const nodePath: string = process.execPath;
