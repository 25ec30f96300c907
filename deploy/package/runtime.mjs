// The pinned Node runtime and the modules that stay beside the bundles, as archives carry them: what runs, without what is only for people
// who build or debug.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadedLater } from "../bundles.mjs";
import { withoutSymbols } from "./elf.mjs";
import { filesIn } from "./files.mjs";

/** Architectures by Node's names for them; Debian's name, and `uname -m`. */
export const architectures = {
  x64: { debian: "amd64", machine: "x86_64", oci: "amd64" },
  arm64: { debian: "arm64", machine: "aarch64", oci: "arm64" },
};

/** What of a module is needed to run it. Native parts that were compiled on this very machine are left out: they are never the same twice. */
const needed = /(?:^|\/)(?:[^/]+\.(?:js|cjs|mjs|json|node|wasm)|LICEN[CS]E[^/]*)$/i;
const leftOut =
  /(?:^|\/)(?:\.[^/]*|build|test|tests|examples|docs?|util|vendor|node_modules|musl_[^/]+)(?:\/|$)|(?:^|\/)(?:install|cnoke|tests|trampolines)\.c?js$/;

/** Finds packages of package-lock.json on disk; those for another architecture are fetched by npm, and are what the lock says. */
export class LockedPackages {
  #root;
  #packages;

  constructor(root) {
    this.#root = root;
    this.#packages = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  }

  version(name) {
    return this.#entry(name).version;
  }

  /** All that programs are bundled from and run with, without build tools and what is for other machines. */
  production() {
    return Object.entries(this.#packages)
      .filter(([path, { dev, optional, devOptional }]) => path !== "" && !dev && !optional && !devOptional)
      .map(([path, { version, license }]) => ({
        name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
        directory: join(this.#root, path),
        version,
        license,
      }));
  }

  /** The path below node_modules of the package that another one means by a name. */
  resolve(path, name) {
    const nested = `${path}/node_modules/${name}`;
    if (`node_modules/${nested}` in this.#packages) return nested;
    const above = path.lastIndexOf("/node_modules/");
    return above === -1 ? name : this.resolve(path.slice(0, above), name);
  }

  /** Where a package lies. */
  directory(name) {
    const installed = join(this.#root, "node_modules", name);
    return existsSync(join(installed, "package.json")) ? installed : this.#fetched(name);
  }

  #entry(name) {
    const entry = this.#packages[`node_modules/${name}`];
    if (entry === undefined) throw new Error(`package-lock.json has no ${name}`);
    return entry;
  }

  #fetched(name) {
    const { version, integrity } = this.#entry(name);
    const place = join(this.#root, ".zor/package/fetched", `${name.replace("/", "+")}-${version}`);
    if (existsSync(place)) return place;
    const work = `${place}.partial`;
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true });
    const argv = ["pack", `${name}@${version}`, "--pack-destination", work, "--json", "--ignore-scripts"];
    const [{ filename }] = JSON.parse(execFileSync("npm", argv, { encoding: "utf8", cwd: work }));
    const packed = join(work, filename);
    const sum = `sha512-${createHash("sha512").update(readFileSync(packed)).digest("base64")}`;
    if (sum !== integrity) throw new Error(`${name} ${version} is not what package-lock.json says: ${sum}`);
    execFileSync("tar", ["-xzf", packed, "-C", work, "--no-same-owner"]);
    renameSync(join(work, "package"), place);
    rmSync(work, { recursive: true });
    return place;
  }
}

/** Writes Node without symbols and debugging information; tells its version. */
export function writeNode(packages, arch, target) {
  const name = `node-linux-${arch}`;
  const directory = packages.directory(name);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, withoutSymbols(readFileSync(join(directory, "bin/node"))), { mode: 0o755 });
  return { version: packages.version(name), license: join(directory, "LICENSE") };
}

/** Copies the modules that no bundle holds, with all they need, into a folder: each where package-lock.json has it. */
export function writeModules(packages, arch, target) {
  const written = new Set();
  const write = (path) => {
    if (written.has(path)) return;
    written.add(path);
    const from = packages.directory(path);
    for (const file of filesIn(from)) {
      if (leftOut.test(file) || !needed.test(file)) continue;
      mkdirSync(dirname(join(target, path, file)), { recursive: true });
      copyFileSync(join(from, file), join(target, path, file));
    }
    const { dependencies = {} } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    for (const name of Object.keys(dependencies)) write(packages.resolve(path, name));
  };
  for (const name of [...loadedLater, `@koromix/koffi-linux-${arch}`]) write(name);
}
