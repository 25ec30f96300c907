import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { readTar } from "../../../lib/tree/tar-reader.js";
import { writeTar } from "../../../lib/tree/tar-writer.js";
import type { TreeItem } from "../../../lib/tree/tree.js";
import type { Archive } from "./archive.js";

/** A file that is sent to hosts. */
export interface Parcel {
  readonly path: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

const sumsName = "SHA256SUMS";
/** Unpacking runs it, before anything else of the version is there. */
const scriptName = "deploy/package/install-version.sh";
/** Leaving out less than this is not worth it. */
const mostOfWhole = 0.8;

/**
 * Archives that leave out what hosts have of another version: most of a version is a runtime and a guest image that seldom change. Each is
 * made once, for all hosts that have the same version.
 */
export class Deltas implements AsyncDisposable {
  readonly #archive: Archive;
  readonly #made = new Map<string, Promise<Parcel | undefined>>();
  #directory: Promise<string> | undefined;

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /**
   * What a host is sent that has version `base`; undefined: all of the archive. @param readSums reads that version's list of digests, whose own
   * digest is in its id.
   */
  from(base: string, readSums: () => Promise<string>): Promise<Parcel | undefined> {
    const known = this.#made.get(base);
    if (known !== undefined) return known;
    const making = this.#make(base, readSums);
    this.#made.set(base, making);
    // Another host with that version may be able to tell what it holds.
    making.catch(() => this.#made.delete(base));
    return making;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#made.values());
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }

  async #make(base: string, readSums: () => Promise<string>): Promise<Parcel | undefined> {
    const sums = await readSums();
    const digest = createHash("sha256").update(sums).digest("hex");
    if (!base.endsWith(`-${digest.slice(0, 16)}`)) return undefined;
    const has = new Set(sums.split("\n"));
    const wanted = new Set([sumsName, scriptName]);
    for (const line of (await readSumsOf(this.#archive)).split("\n")) if (!has.has(line)) wanted.add(line.slice(66));
    this.#directory ??= mkdtemp(join(tmpdir(), "zor-delta-"));
    const path = join(await this.#directory, `${base}.tar.gz`);
    const parcel = await write(this.#archive, wanted, path);
    return parcel.bytes < this.#archive.bytes * mostOfWhole ? parcel : undefined;
  }
}

function itemsOf({ path }: Archive): AsyncGenerator<TreeItem> {
  const file = createReadStream(path, { highWaterMark: 1024 * 1024 });
  const plain = createGunzip({ chunkSize: 1024 * 1024 });
  // Whoever reads is told by its end.
  pipeline(file, plain).catch(() => undefined);
  return readTar(plain);
}

async function readSumsOf(archive: Archive): Promise<string> {
  let isIt = false;
  const pieces: Buffer[] = [];
  for await (const item of itemsOf(archive)) {
    if (item.type === "data" && isIt) pieces.push(item.data);
    if (item.type !== "entry") continue;
    if (isIt) break;
    isIt = item.entry.path.join("/") === sumsName;
  }
  return Buffer.concat(pieces).toString("utf8");
}

async function write(archive: Archive, wanted: ReadonlySet<string>, path: string): Promise<Parcel> {
  const hash = createHash("sha256");
  let bytes = 0;
  const counted = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      bytes += piece.length;
      done(undefined, piece);
    },
  });
  const tar = Readable.from(writeTar(chosen(itemsOf(archive), wanted), archive.id));
  await pipeline(tar, createGzip({ level: 6 }), counted, createWriteStream(path, { mode: 0o600 }));
  return { path, bytes, sha256: hash.digest("hex") };
}

/** Directories and wanted files alone. */
async function* chosen(items: AsyncIterable<TreeItem>, wanted: ReadonlySet<string>): AsyncGenerator<TreeItem> {
  let isWanted = false;
  for await (const item of items) {
    if (item.type === "entry") isWanted = item.entry.type === "directory" || wanted.has(item.entry.path.join("/"));
    if (isWanted || item.type === "incomplete") yield item;
  }
}
