import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { errno, lastErrno, libc, SystemCallError } from "../../../lib/libc.js";

/** What stat(2) tells of a file that changes whenever its content does: cheap to compare. All as decimal text. */
export interface FileHint {
  readonly dev: string;
  readonly ino: string;
  readonly size: string;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

/** Content of a file: SHA-256 over its blocks that are not all zero, so that holes and zeros are the same. */
export interface ContentDigest {
  readonly sha256: string;
  readonly hint: FileHint;
  /** The file had not changed for a while: as long as the hint is the same, so is the content. Clocks of file systems are coarse. */
  readonly settled: boolean;
}

// koffi types every function as (...args: any[]) => any.
const seek = libc.func("long lseek(int fd, long offset, int whence)") as unknown as (
  fd: number,
  offset: number,
  whence: number,
) => number;
const seekData = 3;

const chunkBytes = 1024 * 1024;
const blockBytes = 64 * 1024;
const zeros = Buffer.alloc(blockBytes);
const settledMs = 2000;
const maxKept = 256;

/** Digests of image files; each file is read once and again only when its hint has changed. */
export class ContentDigests {
  readonly #kept = new Map<string, ContentDigest>();

  /**
   * Digest of an open file.
   * @returns undefined when the file was written to meanwhile.
   */
  async of(file: FileHandle, signal: AbortSignal): Promise<ContentDigest | undefined> {
    const hint = await readHint(file);
    const key = Object.values(hint).join(" ");
    const known = this.#kept.get(key);
    if (known?.settled === true) return known;
    const settled = Date.now() - Number(BigInt(hint.ctimeNs) / 1_000_000n) > settledMs;
    const sha256 = await digest(file, Number(hint.size), signal);
    if (!isSameHint(hint, await readHint(file))) return undefined;
    const found = { sha256, hint, settled };
    this.#kept.set(key, found);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKept) break;
      this.#kept.delete(oldest);
    }
    return found;
  }
}

export async function readHint(file: FileHandle): Promise<FileHint> {
  return toHint(await file.stat({ bigint: true }));
}

/** The hint in what stat told. */
export function toHint(found: Record<"dev" | "ino" | "size" | "mtimeNs" | "ctimeNs", bigint>): FileHint {
  const { dev, ino, size, mtimeNs, ctimeNs } = found;
  return { dev: `${dev}`, ino: `${ino}`, size: `${size}`, mtimeNs: `${mtimeNs}`, ctimeNs: `${ctimeNs}` };
}

export function isSameHint(one: FileHint, other: FileHint): boolean {
  return (["dev", "ino", "size", "mtimeNs", "ctimeNs"] as const).every((name) => one[name] === other[name]);
}

async function digest(file: FileHandle, size: number, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(chunkBytes);
  const place = Buffer.alloc(8);
  for (let position = nextData(file, 0); position < size; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, chunkBytes, position);
    if (bytesRead === 0) break;
    for (let offset = 0; offset < bytesRead; offset += blockBytes) {
      const block = chunk.subarray(offset, Math.min(offset + blockBytes, bytesRead));
      if (block.equals(zeros.subarray(0, block.length))) continue;
      place.writeBigUInt64LE(BigInt(position + offset));
      hash.update(place).update(block);
    }
    position = nextData(file, position + bytesRead);
  }
  return hash.digest("hex");
}

/** Where a file's next data are, at a multiple of the block size; infinity when only a hole follows. */
function nextData(file: FileHandle, position: number): number {
  const found = seek(file.fd, position, seekData);
  if (found >= 0) return Math.max(position, Math.floor(found / blockBytes) * blockBytes);
  const code = lastErrno();
  if (code === errno.ENXIO) return Number.POSITIVE_INFINITY;
  // A file system without holes.
  if (code === errno.EINVAL) return position;
  throw new SystemCallError("lseek", code);
}
