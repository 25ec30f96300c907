import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { invalidArgument, unavailable, ZorError } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { quote } from "../../../lib/names.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import {
  ImageServiceService,
  type ImportBegin,
  type ImportImageRequest,
  type ImportProgress,
} from "../../../proto/gen/zor/v1/image_service.js";

/** What is said of the image that is made. */
export type Described = Pick<ImportBegin, "parent" | "imageId" | "description" | "tags" | "architecture" | "labels">;

/** An import from this machine. */
export interface UploadOptions {
  readonly connection: Connection;
  /** Path of the file; "-": standard input. */
  readonly file: string;
  readonly input: AsyncIterable<Buffer | string>;
  readonly image: Described;
  /** Most bytes a second; 0: not limited. */
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ImportProgress, sizeBytes: number) => void;
}

const pieceBytes = 256 * 1024;
/** Who does not answer for longer is given up; what came is kept there for an hour. */
const patienceMs = 60_000;
const retryMs = 500;

/**
 * Sends a file to a host as an image. A file that is cut off goes on where it was, also in another run of the command; what comes through a
 * pipe cannot. Interrupted, nothing of it stays at the host. @throws {ZorError}
 */
export async function uploadImage(options: UploadOptions): Promise<Image> {
  const { connection, file, image, signal } = options;
  await using source = file === "-" ? undefined : await openSource(file);
  const sizeBytes = source?.sizeBytes ?? 0;
  const identity = source?.identity ?? crypto.randomUUID();
  const uploadId = createHash("sha256")
    .update(`${image.parent} ${image.imageId} ${identity}`)
    .digest("hex")
    .slice(0, 40);
  const fileName = file === "-" ? "" : basename(file).slice(0, 255);
  const begin: ImportBegin = { ...image, uploadId, fileName, sizeBytes: BigInt(sizeBytes) };
  let heardMs = performance.now();
  try {
    for (;;) {
      try {
        return await attempt(options, begin, source?.file, () => {
          heardMs = performance.now();
        });
      } catch (error) {
        const isLost = error instanceof ZorError && error.code === status.UNAVAILABLE;
        const isWorthIt = source !== undefined && (isLost || isStillOpen(error));
        if (signal.aborted || !isWorthIt || performance.now() - heardMs > patienceMs) throw error;
        await sleep(retryMs, undefined, { signal });
      }
    }
  } catch (error) {
    if (signal.aborted) {
      const request = { parent: image.parent, uploadId, requestId: crypto.randomUUID(), validateOnly: false };
      // As well as can be: what is cut off goes by itself within the hour.
      await connection.unary(ImageServiceService.abortImport, request, { timeoutMs: 5000 }).catch(() => undefined);
    }
    throw error;
  }
}

/** The host has not noticed yet that the stream before is gone. */
function isStillOpen(error: unknown): boolean {
  return error instanceof ZorError && error.reason === "IMPORT_UNDER_WAY";
}

async function attempt(
  { connection, input, bytesPerSecond, signal, onProgress }: UploadOptions,
  begin: ImportBegin,
  file: FileHandle | undefined,
  onHeard: () => void,
): Promise<Image> {
  const start = Promise.withResolvers<number>();
  start.promise.catch(() => undefined);
  let failure: unknown;
  const requests = async function* (): AsyncIterable<ImportImageRequest> {
    try {
      yield { message: { $case: "begin", value: begin } };
      const from = await start.promise;
      const hash = createHash("sha256");
      const pieces = file === undefined ? toPieces(input) : readPieces(file, Number(begin.sizeBytes), { hash, from });
      const began = performance.now();
      let sent = 0;
      for await (const data of pieces) {
        if (file === undefined) hash.update(data);
        yield { message: { $case: "data", value: data } };
        sent += data.length;
        const dueMs = bytesPerSecond === 0 ? 0 : (1000 * sent) / bytesPerSecond - (performance.now() - began);
        if (dueMs > 0) await sleep(dueMs, undefined, { signal });
      }
      yield { message: { $case: "end", value: { sha256: hash.digest() } } };
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  try {
    for await (const { message } of connection.bidi(ImageServiceService.importImage, requests(), { signal })) {
      onHeard();
      if (message?.$case === "image") return message.value;
      if (message?.$case !== "progress") continue;
      onProgress(message.value, Number(begin.sizeBytes));
      start.resolve(Number(message.value.receivedBytes));
    }
  } catch (error) {
    start.reject(error);
    throw failure ?? error;
  }
  throw unavailable("IMPORT_CUT", begin.parent, `${begin.parent} ended the import before it was whole`);
}

interface Source extends AsyncDisposable {
  readonly file: FileHandle;
  readonly sizeBytes: number;
  /** Changes whenever the file does. */
  readonly identity: string;
}

async function openSource(path: string): Promise<Source> {
  const file = await open(path, "r").catch((cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why =
      { ENOENT: "there is no such file", EACCES: "it may not be read" }[code] ?? `it cannot be opened (${code})`;
    throw invalidArgument("file", `${quote(path)}: ${why}`);
  });
  const found = await file.stat();
  if (!found.isFile() || found.size === 0) {
    await file.close();
    const why = found.isFile() ? "is empty" : "is not a file; pack a directory with tar and import that";
    throw invalidArgument("file", `${quote(path)} ${why}`);
  }
  const identity = [found.dev, found.ino, found.size, found.mtimeMs].join(" ");
  return { file, sizeBytes: found.size, identity, [Symbol.asyncDispose]: () => file.close() };
}

/** The bytes from a place on; those before it go into the digest alone. */
async function* readPieces(
  file: FileHandle,
  sizeBytes: number,
  { hash, from }: { readonly hash: ReturnType<typeof createHash>; readonly from: number },
): AsyncIterable<Buffer> {
  for (let position = 0; position < sizeBytes; ) {
    const end = position < from ? from : sizeBytes;
    const length = Math.min(pieceBytes, end - position);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    // It became shorter: the host says that something is missing.
    if (bytesRead === 0) return;
    const data = buffer.subarray(0, bytesRead);
    hash.update(data);
    if (position >= from) yield data;
    position += bytesRead;
  }
}

async function* toPieces(input: AsyncIterable<Buffer | string>): AsyncIterable<Buffer> {
  for await (const chunk of input) {
    const data = Buffer.from(chunk as Buffer);
    for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes);
  }
}
