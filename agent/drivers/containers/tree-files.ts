import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink, rename, statfs, unlink } from "node:fs/promises";
import { failedPrecondition, notFound, resourceExhausted } from "../../../lib/errors.js";
import { type Dir, explained, lookUp, type Place, TreeError } from "../../../lib/tree/dir.js";
import { packTree } from "../../../lib/tree/pack.js";
import { readTar } from "../../../lib/tree/tar-reader.js";
import { writeTar } from "../../../lib/tree/tar-writer.js";
import { unpackTree } from "../../../lib/tree/unpack.js";
import { run } from "../../host/exec.js";
import type { FileEntry, FileSystemUsage, NewFile, OpenFiles } from "../abilities/files.js";

const pieceBytes = 256 * 1024;
const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;

/** The files of a root filesystem that is a directory here. */
export class TreeFiles implements OpenFiles {
  readonly #root: Dir;
  readonly #resource: string;
  readonly #kept: AsyncDisposable;

  /** @param options.kept is disposed of with the files. */
  constructor(root: Dir, options: { readonly resource: string; readonly kept: AsyncDisposable }) {
    this.#root = root;
    this.#resource = options.resource;
    this.#kept = options.kept;
  }

  stat(path: string, follow: boolean): Promise<FileEntry> {
    return this.#at(path, follow, async (place, stats) => await entryOf(place, stats, path));
  }

  async *list(path: string): AsyncGenerator<FileEntry> {
    await using place = await this.#place(path, true);
    await using inner = await place.dir.enter(place.name).catch((error: unknown) => {
      throw this.#explained(error, path);
    });
    for await (const name of inner.names()) {
      const whole = Buffer.concat([Buffer.from(inner.at("")), name]);
      const stats = await lstat(whole).catch(() => undefined);
      // It has gone meanwhile.
      if (stats === undefined) continue;
      const target = stats.isSymbolicLink()
        ? await readlink(whole, { encoding: "buffer" }).catch(() => noBytes)
        : noBytes;
      yield toEntry(stats, name, target);
    }
  }

  async *read(path: string): AsyncGenerator<Buffer> {
    await using place = await this.#place(path, true);
    const file = await place.dir.openFile(place.name).catch((error: unknown) => {
      throw this.#explained(error, path);
    });
    try {
      // What is written meanwhile may have no end.
      const { size } = await file.stat();
      for (let at = 0; at < size; ) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(pieceBytes, size - at)), 0, null, at);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  async *pack(path: string): AsyncGenerator<Buffer> {
    await using place = await this.#place(path, true);
    try {
      await using inner = await place.dir.enter(place.name);
      yield* writeTar(packTree(inner, "."), ".");
    } catch (error) {
      throw this.#explained(error, path);
    }
  }

  async *usage(): AsyncGenerator<FileSystemUsage> {
    const { bsize, blocks, bavail } = await statfs(this.#root.at("."));
    yield { device: "/", type: "root", label: "", size: bsize * blocks, free: bsize * bavail, reason: "" };
  }

  async write(path: string, file: NewFile, content: AsyncIterable<Buffer>): Promise<void> {
    await using place = await this.#placeFor(path, file.base);
    const { dir, name, stats } = place;
    if (name === "." || (stats !== undefined && !stats.isFile())) throw this.#refused(path, "is no plain file");
    if (file.expected !== undefined && !isAsExpected(stats, file.expected)) throw this.#changed(path);
    const fresh = `.zor-${randomBytes(6).toString("hex")}`;
    try {
      const handle = await open(dir.at(fresh), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
      try {
        await fill(handle, file.size, content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      if (stats === undefined) await setMode(dir, fresh, file.mode);
      else await copyAttributes(dir, name, fresh);
      await rename(dir.at(fresh), dir.at(name));
    } catch (error) {
      await unlink(dir.at(fresh)).catch(() => undefined);
      throw this.#explained(error, path);
    }
  }

  async unpack(path: string, archive: AsyncIterable<Buffer>): Promise<void> {
    await using place = await this.#place(path, true);
    try {
      await using inner = await place.dir.enter(place.name);
      const items = readTar(archive, { hasTop: false });
      await unpackTree(inner, items, { name: ".", owners: true, onSkipped: () => undefined });
    } catch (error) {
      throw this.#explained(error, path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root[Symbol.asyncDispose]();
    await this.#kept[Symbol.asyncDispose]();
  }

  async #at<T>(path: string, follow: boolean, work: (place: Place, stats: Stats) => Promise<T>): Promise<T> {
    await using place = await this.#place(path, follow);
    // A place that must be there has them.
    return await work(place, place.stats as Stats);
  }

  async #place(path: string, follow: boolean, mayBeNew = false): Promise<Place> {
    const place = await lookUp(this.#root, path, { follow }).catch((error: unknown) => {
      throw this.#explained(error, path);
    });
    if (place.stats !== undefined || mayBeNew) return place;
    await place[Symbol.asyncDispose]();
    throw this.#missing(path);
  }

  /** Where a file goes: into a directory, or there. */
  async #placeFor(path: string, base: string): Promise<Place> {
    const place = await this.#place(path, true, true);
    if (place.stats?.isDirectory() !== true || base === "") return place;
    await place[Symbol.asyncDispose]();
    return await this.#place(`${path}/${base}`, true, true);
  }

  #explained(error: unknown, path: string): unknown {
    const found = explained(error, path);
    if (!(found instanceof TreeError)) return found;
    if (found.code === "ENOENT") return this.#missing(path);
    const message = `${this.#resource}: ${found.message}`;
    if (found.code === "ENOSPC" || found.code === "EDQUOT")
      return resourceExhausted("DISK_FULL", message, this.#resource);
    return failedPrecondition("DISK_LOOK_REFUSED", this.#resource, message);
  }

  #missing(path: string): Error {
    return notFound(`${this.#resource}: ${JSON.stringify(path)}`, "list what is there with: zor disk ls");
  }

  #refused(path: string, why: string): Error {
    return failedPrecondition("DISK_LOOK_REFUSED", this.#resource, `${this.#resource}: ${JSON.stringify(path)} ${why}`);
  }

  #changed(path: string): Error {
    const why = "is not any more what it was; nothing was written";
    return failedPrecondition("FILE_CHANGED", this.#resource, `${this.#resource}: ${JSON.stringify(path)} ${why}`);
  }
}

const noBytes = Buffer.alloc(0);

async function entryOf({ dir, name }: Place, stats: Stats, path: string): Promise<FileEntry> {
  const target = stats.isSymbolicLink() ? await readlink(dir.at(name), { encoding: "buffer" }) : noBytes;
  return toEntry(stats, Buffer.from(path), target);
}

function toEntry(stats: Stats, name: Buffer, target: Buffer): FileEntry {
  const { mode, uid, gid, size, mtimeMs } = stats;
  return { name, mode, uid, gid, size, modified: Math.floor(mtimeMs / 1000), target };
}

function isAsExpected(stats: Stats | undefined, expected: NonNullable<NewFile["expected"]>): boolean {
  return stats?.size === expected.size && Math.floor(stats.mtimeMs / 1000) === expected.modified;
}

async function fill(file: FileHandle, size: number, content: AsyncIterable<Buffer>): Promise<void> {
  let at = 0;
  for await (const data of content) {
    if (at + data.length > size) throw new TreeError("more came than was said");
    for (let from = 0; from < data.length; ) {
      const { bytesWritten } = await file.write(data, from, data.length - from, at);
      from += bytesWritten;
      at += bytesWritten;
    }
  }
  if (at !== size) throw new TreeError("less came than was said");
}

async function setMode(dir: Dir, name: string, mode: number): Promise<void> {
  const file = await dir.openFile(name);
  try {
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

/** Owner, mode and extended attributes, which Node does not know. Nobody else changes the directory: the container does not run. */
async function copyAttributes(dir: Dir, from: string, to: string): Promise<void> {
  const [source, target] = [from, to].map((name) => dir.at(name).replace("/proc/self/", `/proc/${process.pid}/`));
  const how = ["--attributes-only", "--preserve=mode,ownership,xattr", "--no-dereference"];
  await run("cp", [...how, "--", source ?? "", target ?? ""]);
}
