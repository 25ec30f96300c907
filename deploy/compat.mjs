// Bundles the programs of another revision of this repository, test/compat/REVISION unless one is given, into .zor/compat/REVISION, and prints
// where: for the tests that hub and agents one version apart work together. Its dependencies are those that are installed here.
// With --renew REVISION that one is what versions must work with from now on, once its bundles are made (CONTRIBUTING.md says when).
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const file = join(root, "test/compat/REVISION");
const isRenewed = process.argv[2] === "--renew";
const wanted = process.argv[isRenewed ? 3 : 2] ?? (isRenewed ? "HEAD" : readFileSync(file, "utf8").trim());
const git = (...argv) => execFileSync("git", ["-C", root, ...argv], { maxBuffer: 512 * 1024 * 1024 });

function resolved() {
  try {
    return git("rev-parse", "--verify", "--quiet", `${wanted}^{commit}`).toString().trim();
  } catch {
    console.error(`zor: this clone has no revision ${wanted}; fetch it, or name another in test/compat/REVISION`);
    process.exit(1);
  }
}

const revision = resolved();
if (isRenewed && git("merge-base", revision, "HEAD").toString().trim() !== revision) {
  console.error(`zor: ${wanted} is not part of what is checked out here`);
  process.exit(1);
}
const kept = join(root, ".zor/compat", revision);
if (!existsSync(kept)) {
  mkdirSync(dirname(kept), { recursive: true });
  const made = mkdtempSync(join(dirname(kept), "making-"));
  try {
    execFileSync("tar", ["-x", "-C", made], { input: git("archive", revision), maxBuffer: 512 * 1024 * 1024 });
    symlinkSync(join(root, "node_modules"), join(made, "node_modules"));
    const then = await import(pathToFileURL(join(made, "deploy/bundles.mjs")).href);
    const dist = join(made, "dist");
    // What revisions before the terminal program was a script call it.
    const bundleRest = then.bundleScripts ?? then.bundleCommandLine;
    await Promise.all([then.bundleModules(dist, then.programs), bundleRest(dist, then.scripts)]);
    const needed = new Set(["dist", "node_modules", "package.json", "zor"]);
    for (const name of readdirSync(made)) if (!needed.has(name)) rmSync(join(made, name), { recursive: true });
    renameSync(made, kept);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}
if (isRenewed) writeFileSync(file, `${revision}\n`);
console.log(kept);
