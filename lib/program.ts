import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };

/** Version of the project, "0.1.0". */
export const version: string = packageJson.version;

/** Level of the zor.v1 API this build speaks; hub and agent compare them when they meet. */
export const apiLevel = 1;

/** Top folder of the installation. Programs run from dist/, tests from the sources in lib/: both lie one below it. */
export const installationRoot: string = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Whether an archive or a package was installed, and nothing is built here. */
export const isPackaged: boolean = existsSync(join(installationRoot, "manifest.json"));

/** The micro guest image that archives bring along. */
export const packagedImages: string = join(installationRoot, "images");

/** The launcher as it can be written down. */
export const launcherPath: string = join(lastingRoot(installationRoot), "zor");

/** Programs that are CommonJS scripts. */
const scripts = ["cli", "tui"];

/** Path of a bundled program, such as "agent" or "cable-engine". */
export function programPath(program: string): string {
  return join(installationRoot, "dist", `${program}${scripts.includes(program) ? ".cjs" : ".js"}`);
}

/** Path of the Node runtime that is pinned with the project. */
export const nodePath: string = process.execPath;

/**
 * Where an installation is found for as long as there is one. Versions that lie beside each other come and go: what leads to the current
 * one stays.
 */
export function lastingRoot(root: string): string {
  const versions = dirname(root);
  const current = join(dirname(versions), "current");
  return basename(versions) === "versions" && existsSync(current) ? current : root;
}
