// Debian packages for hosts that reach no archive of Debian's: all that Zorhub needs there, with all that those need, as a directory that
// `zor host install --debs` sends from. A host gets of it what it lacks.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runtimePackages } from "./deb.mjs";
import { digestOf } from "./files.mjs";
import { architectures } from "./runtime.mjs";

/** Debians that packages can be fetched for wherever Debian's keys are; any other only on a machine that runs it. */
const releases = { bookworm: "12", trixie: "13" };
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Fetches the packages, and those that they need; tells the directory. `release` is a code name, undefined for this machine's own. */
export function writeOffline(root, { release, arch, work, output }) {
  const own = ownSystem();
  const wanted = release ?? own.codename;
  const isOwn = wanted === own.codename;
  if (!isOwn && !Object.hasOwn(releases, wanted)) {
    const known = Object.keys(releases).join(", ");
    throw new Error(`--release: packages of ${wanted} are fetched on a machine that runs it; anywhere: ${known}`);
  }
  const apt = aptOf(work, { arch, sources: isOwn ? undefined : wanted });
  const names = runtimePackages(root);
  apt("update");
  apt("--yes", "--download-only", "--no-install-recommends", "install", ...names);
  const system = isOwn ? { id: own.id, version: own.version } : { id: "debian", version: releases[wanted] };
  const made = join(work, "made");
  mkdirSync(made);
  const archives = join(work, "archives");
  const files = readdirSync(archives).filter((name) => name.endsWith(".deb"));
  // As in Debian's own archive an epoch is not part of the file's name.
  for (const name of files) renameSync(join(archives, name), join(made, name.replace(/_\d+%3a/, "_")));
  writeFileSync(join(made, "Packages"), indexOf(made));
  writeFileSync(join(made, "offline.json"), `${JSON.stringify({ system, packages: names }, undefined, 1)}\n`);
  const directory = join(output, `offline-${wanted}-${architectures[arch].debian}`);
  rmSync(directory, { recursive: true, force: true });
  renameSync(made, directory);
  return directory;
}

/** The index of a directory of packages, which apt reads: what each says of itself, where it lies and its digest. */
function indexOf(directory) {
  const names = readdirSync(directory).filter((name) => name.endsWith(".deb"));
  return names
    .sort()
    .map((name) => {
      const file = join(directory, name);
      const fields = execFileSync("dpkg-deb", ["--field", file], { encoding: "utf8" }).trimEnd();
      return `${fields}\nFilename: ./${name}\nSize: ${statSync(file).size}\nSHA256: ${digestOf(file)}\n\n`;
    })
    .join("");
}

/**
 * apt-get with lists and files of its own, on which nothing is installed yet: it takes what is needed of every package, and neither needs root
 * nor changes what this machine knows. `sources` is a Debian's code name, undefined for the sources of this machine.
 */
function aptOf(work, { arch, sources }) {
  for (const each of ["lists/partial", "archives/partial", "parts"]) mkdirSync(join(work, each), { recursive: true });
  writeFileSync(join(work, "status"), "");
  const elsewhere = [];
  if (sources !== undefined) {
    if (!existsSync(keyring))
      throw new Error(`Debian's keys are missing (${keyring}): apt-get install debian-archive-keyring`);
    const from = (uri, suite) => `deb [signed-by=${keyring}] ${uri} ${suite} main\n`;
    const debian = "http://deb.debian.org";
    const lines = from(`${debian}/debian`, sources) + from(`${debian}/debian-security`, `${sources}-security`);
    writeFileSync(join(work, "sources.list"), lines);
    elsewhere.push(
      `Dir::Etc::SourceList=${join(work, "sources.list")}`,
      `Dir::Etc::SourceParts=${join(work, "parts")}`,
    );
  }
  const settings = [
    ...elsewhere,
    ...[`Dir::State::Lists=${join(work, "lists")}`, `Dir::State::Status=${join(work, "status")}`],
    ...[`Dir::Cache=${work}`, `Dir::Cache::Archives=${join(work, "archives")}`],
    ...["APT::Sandbox::User=root", "Debug::NoLocking=true", "Acquire::Retries=2", "APT::Keep-Downloaded-Packages=true"],
    ...[`APT::Architecture=${architectures[arch].debian}`, `APT::Architectures=${architectures[arch].debian}`],
  ];
  const options = ["-q", ...settings.flatMap((each) => ["-o", each])];
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  return (...argv) => execFileSync("apt-get", [...options, ...argv], { stdio: ["ignore", 2, "inherit"], env });
}

function ownSystem() {
  const text = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const field = (name) => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return { id: field("ID"), version: field("VERSION_ID"), codename: field("VERSION_CODENAME") };
}
