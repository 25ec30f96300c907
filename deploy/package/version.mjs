// One version of Zorhub as a directory that runs by itself wherever it lies: what archives, Debian packages and images of the hub are made of.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { bundleModules, bundleScripts, programs, scripts } from "../bundles.mjs";
import { nameByHash } from "../compiled-code.mjs";
import { digestOf, filesIn, listed } from "./files.mjs";
import { LockedPackages, writeModules, writeNode } from "./runtime.mjs";

/** Beside programs and runtime. */
const texts = [
  "LICENSE",
  "README.md",
  "CHANGELOG.md",
  "zor",
  "deploy/packages.txt",
  "deploy/package/install-version.sh",
];
const executable = /^(?:zor|node_modules\/\.bin\/node|deploy\/package\/install-version\.sh)$/;
/** The list that the name of a version is the digest of. */
const sums = "SHA256SUMS";
const digits = 16;

/**
 * Writes a version into an empty directory. `image` is the directory of the micro guest image, undefined where there is none for the
 * architecture.
 * @returns its manifest, with its `id`, and `seconds`, the time of what it was made from.
 */
export async function writeVersion(root, directory, { arch, image }) {
  const packages = new LockedPackages(root);
  const dist = join(directory, "dist");
  await Promise.all([bundleModules(dist, programs), bundleScripts(dist, scripts)]);
  nameByHash(dist);
  for (const name of readdirSync(dist)) if (name.endsWith(".map")) rmSync(join(dist, name));
  const node = writeNode(packages, arch, join(directory, "node_modules/.bin/node"));
  writeModules(packages, arch, join(directory, "node_modules"));
  const units = readdirSync(join(root, "deploy/systemd")).map((name) => `deploy/systemd/${name}`);
  const docs = filesIn(join(root, "docs")).map((name) => `docs/${name}`);
  for (const path of [...texts, ...units, ...docs]) copy(join(root, path), join(directory, path));
  if (image !== undefined) copyImage(image, join(directory, "images/micro"));
  writeFileSync(join(directory, "THIRD-PARTY-LICENSES"), licenses(packages, node));
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeJson(join(directory, "package.json"), { name: "zorhub", version, private: true, type: "module" });
  setModes(directory);
  const { revision, seconds } = readRevision(root);
  const build = (name) => digestOf(join(dist, name)).slice(0, 12);
  const manifest = {
    format: 1,
    version,
    revision,
    arch,
    node: node.version,
    microImage: image !== undefined,
    builds: { agent: build("agent.js"), hub: build("hub.js"), cli: build("cli-main.cjs") },
    files: listed(directory),
  };
  writeJson(join(directory, "manifest.json"), manifest);
  const lines = [...manifest.files, { path: "manifest.json", sha256: digestOf(join(directory, "manifest.json")) }];
  const text = lines.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join("");
  writeFileSync(join(directory, sums), text);
  setModes(directory);
  const digest = createHash("sha256").update(text).digest("hex");
  return { ...manifest, id: `${version}-${digest.slice(0, digits)}`, seconds };
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** @throws when the image is not there, or not what its manifest says. */
function copyImage(from, to) {
  const remedy = "build it with: npm run setup, or deploy/guest-image/build.sh --output DIR and --image DIR here";
  const manifest = join(from, "manifest.json");
  if (!existsSync(manifest)) throw new Error(`there is no micro guest image in ${from}; ${remedy}`);
  for (const [name, sum] of Object.entries(JSON.parse(readFileSync(manifest, "utf8")).files)) {
    if (!existsSync(join(from, name)) || digestOf(join(from, name)) !== sum) {
      throw new Error(`${join(from, name)} is not what its manifest says; ${remedy}`);
    }
    copy(join(from, name), join(to, name));
  }
  copy(manifest, join(to, "manifest.json"));
}

/** What was bundled says under which terms it is. */
function licenses(packages, node) {
  const parts = packages.production().map(({ name, directory, version, license }) => {
    const names = readdirSync(directory).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file));
    const texts = names.sort().map((file) => readFileSync(join(directory, file), "utf8").trim());
    return `${name} ${version} (${license})\n\n${texts.join("\n\n")}`;
  });
  const all = [...parts, `Node.js ${node.version}\n\n${readFileSync(node.license, "utf8").trim()}`];
  return `${all.join(`\n\n${"-".repeat(78)}\n\n`)}\n`;
}

function writeJson(file, content) {
  writeFileSync(file, `${JSON.stringify(content, undefined, 1)}\n`);
}

/** The same rights wherever a version is made. */
function setModes(directory) {
  for (const path of filesIn(directory)) chmodSync(join(directory, path), executable.test(path) ? 0o755 : 0o644);
}

/** The commit it is made from, and when that was made; what was changed since is told. */
function readRevision(root) {
  try {
    const git = (...argv) => execFileSync("git", ["-C", root, ...argv], { encoding: "utf8", stdio: "pipe" }).trim();
    const changed = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "-changed";
    return { revision: git("rev-parse", "HEAD") + changed, seconds: Number(git("log", "-1", "--format=%ct")) };
  } catch {
    return { revision: "", seconds: 0 };
  }
}
