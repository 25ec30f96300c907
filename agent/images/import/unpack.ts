import type { FileHandle } from "node:fs/promises";
import type { Readable, Transform } from "node:stream";
import { createGunzip, createInflateRaw, createZstdDecompress } from "node:zlib";
import { ToolError } from "../../host/exec.js";
import type { Packing } from "../image-content.js";
import { runSandboxed } from "../sandboxed-tool.js";
import { writeSparse } from "../sparse-writer.js";
import { ArchiveError, type ArchiveMember } from "./zip.js";

/** Bytes of what is unpacked at a time. */
const chunkSize = 256 * 1024;

/** Where to and how far something is unpacked. */
export interface UnpackOptions {
  readonly from: FileHandle;
  readonly to: FileHandle;
  /** More is not written: an archive may claim to be anything. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Told the bytes that were written. */
  readonly onProgress: (doneBytes: number) => void;
}

/** Unpacks a compressed file. @throws {ArchiveError} when it is damaged, or larger than it may be. */
export async function unpackFile(by: Exclude<Packing, "zip">, options: UnpackOptions): Promise<void> {
  const sink = new BoundedSink(options);
  try {
    if (by === "gzip" || by === "zstd") {
      const { size } = await options.from.stat();
      const stream = by === "gzip" ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
      await through({ ...options, start: 0, length: size }, stream, sink);
    } else {
      await runSandboxed({
        tool: by,
        argv:
          by === "xz" ? ["--decompress", "--stdout", "--memlimit=1GiB", fd(3)] : ["--decompress", "--stdout", fd(3)],
        files: [options.from.fd],
        maxFileBytes: 1,
        signal: options.signal,
        onOutput: (data) => sink.take(data),
      });
    }
  } catch (error) {
    if (error instanceof ToolError || isZlibError(error)) {
      throw new ArchiveError(`cannot be unpacked (${by}): it is damaged or was cut short`, { cause: error });
    }
    throw error;
  }
  await sink.finish();
}

/** Takes a file out of an archive. @throws {ArchiveError} */
export async function unpackMember(member: ArchiveMember, options: UnpackOptions): Promise<void> {
  const sink = new BoundedSink(options);
  const part = { ...options, start: member.offset, length: member.packedBytes };
  try {
    await through(part, member.isDeflated ? createInflateRaw({ chunkSize }) : undefined, sink);
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw new ArchiveError("cannot be unpacked: it is damaged or was cut short", { cause: error });
  }
  if (sink.written !== member.sizeBytes) throw new ArchiveError("cannot be unpacked: it is not as long as it says");
  await sink.finish();
}

function fd(number: number): string {
  return `/proc/self/fd/${number}`;
}

/** Writes what comes to the file, and no more than it may. */
class BoundedSink {
  readonly #options: UnpackOptions;
  written = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
  }

  async take(data: Buffer): Promise<void> {
    const { to, maxBytes, signal, onProgress } = this.#options;
    signal.throwIfAborted();
    if (this.written + data.length > maxBytes) {
      throw new ArchiveError(
        `is larger than ${Math.floor(maxBytes / 1024 ** 2)} MiB when unpacked, more than the host has room for`,
      );
    }
    await writeSparse(to, data, this.written);
    this.written += data.length;
    onProgress(this.written);
  }

  /** The last block may have been a hole. */
  async finish(): Promise<void> {
    await this.#options.to.truncate(this.written);
  }
}

async function through(
  { from, start, length, signal }: UnpackOptions & { readonly start: number; readonly length: number },
  stream: Transform | undefined,
  sink: BoundedSink,
): Promise<void> {
  if (length === 0) return;
  const source: Readable = from.createReadStream({
    ...{ start, end: start + length - 1, autoClose: false },
    highWaterMark: 1024 * 1024,
    signal,
  });
  if (stream === undefined) {
    for await (const data of source) await sink.take(data as Buffer);
    return;
  }
  source.on("error", (error) => stream.destroy(error));
  source.pipe(stream);
  try {
    for await (const data of stream) await sink.take(data as Buffer);
  } finally {
    source.destroy();
    stream.destroy();
  }
}

function isZlibError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code.startsWith("Z_") || code.startsWith("ZSTD_") || code === "ERR_ZLIB_INITIALIZATION_FAILED";
}
