// Tells whether node_modules is what package-lock.json says; exits 1 when it is not. Runs on the system's Node, needs no packages.
// npm writes node_modules/.package-lock.json as its last act, so an install that was cut off is seen as missing.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = process.argv[2] ?? ".";
const hidden = join(root, "node_modules", ".package-lock.json");

function packages(path) {
  return Object.entries(JSON.parse(readFileSync(path, "utf8")).packages ?? {}).filter(([name]) => name !== "");
}

/** Whether an optional package is the native part for this machine; npm may leave out any other. Debian's C library is glibc. */
function isForThisMachine({ os, cpu, libc = ["glibc"] }) {
  return os?.includes("linux") === true && cpu?.includes(process.arch) === true && libc.includes("glibc");
}

function verdict() {
  if (!existsSync(hidden)) return "node_modules is not installed";
  const have = new Map(packages(hidden));
  const want = packages(join(root, "package-lock.json"));
  for (const [name, entry] of want) {
    const installed = have.get(name);
    if (installed === undefined && entry.optional === true && !isForThisMachine(entry)) continue;
    if (installed?.version !== entry.version) return `${name} ${entry.version} is not installed`;
    if (!existsSync(join(root, name))) return `${name} is missing on disk`;
  }
  try {
    execFileSync(join(root, "node_modules", ".bin", "node"), ["--version"], { stdio: "ignore" });
  } catch {
    return "the pinned Node runtime does not run";
  }
  return undefined;
}

const problem = verdict();
console.log(problem ?? "node_modules is as locked");
process.exit(problem === undefined ? 0 : 1);
