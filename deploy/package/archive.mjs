// The archive of a version: the same bytes whoever makes it, and opened by what is on every Debian.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { digestOf } from "./files.mjs";

/** What an archive may take: it is sent to every host. */
const maxBytes = 80e6;
/** Everybody reads, and what is a program can be run. */
const plainMode = "u=rwX,go=rX";

/**
 * Packs a directory, named by its version's id, into a file, and writes what it is beside it: FILE.json.
 * @throws when it is larger than it may be.
 */
export async function writeArchive(directory, manifest, file) {
  await pack(file, { base: dirname(directory), from: basename(directory), seconds: manifest.seconds });
  const bytes = statSync(file).size;
  if (bytes > maxBytes)
    throw new Error(`${file} has ${bytes} bytes; more than ${maxBytes} are too many for an archive`);
  const { id, version, revision, arch, node, microImage, builds, files } = manifest;
  const unpacked = files.reduce((sum, each) => sum + each.bytes, 0);
  const summary = {
    ...{ archive: basename(file), sha256: digestOf(file), bytes, unpackedBytes: unpacked },
    ...{ id, version, revision, arch, node, microImage, builds },
  };
  // Another file under the name, as with the archive: a copy of the clone may share the one before.
  writeFileSync(`${file}.json.partial`, `${JSON.stringify(summary, undefined, 1)}\n`);
  renameSync(`${file}.json.partial`, `${file}.json`);
  return summary;
}

/**
 * Packs `from`, in the directory `base`, into a file, with tar and gzip of the system: what Node's own zlib makes depends on the processor.
 * All of it is `owner`'s, and has the rights of `mode`, its own ones with `a+X`.
 */
export async function pack(file, { base, from, seconds, owner = 0, mode = plainMode, compress = true }) {
  const reproducible = [
    ...["--sort=name", "--numeric-owner", `--owner=${owner}`, `--group=${owner}`],
    ...[`--mtime=@${seconds}`, `--mode=${mode}`, "--format=gnu"],
  ];
  const env = { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
  const tar = spawn("tar", ["-c", ...reproducible, "-C", base, from], { stdio: ["ignore", "pipe", "inherit"], env });
  const parts = [tar];
  const partial = `${file}.partial`;
  const out = createWriteStream(partial);
  if (compress) {
    const gzip = spawn("gzip", ["-n", "-6"], { stdio: ["pipe", "pipe", "inherit"], env });
    parts.push(gzip);
    await Promise.all([pipeline(tar.stdout, gzip.stdin), pipeline(gzip.stdout, out), ...parts.map(ended)]);
  } else {
    await Promise.all([pipeline(tar.stdout, out), ended(tar)]);
  }
  renameSync(partial, file);
}

async function ended(child) {
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${child.spawnfile} ended with code ${code}`);
}
