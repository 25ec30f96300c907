import { createHash } from "node:crypto";
import type { Calls } from "../../lib/grpc/connection.js";
import type { Image } from "../../proto/gen/zor/v1/image.js";
import { ImageServiceService, ImportBegin, type ImportImageRequest } from "../../proto/gen/zor/v1/image_service.js";

/** An import of bytes; what is not said has its default. */
export interface TestImport extends Partial<ImportBegin> {
  readonly parent: string;
  readonly imageId: string;
  /** The stream breaks off after so many bytes. */
  readonly cutAt?: number;
  /** Digest that is told; default: the right one. */
  readonly sha256?: Buffer;
}

const pieceBytes = 256 * 1024;

/** What came of an import: the image, unless it was cut, and the byte at which it began. */
export interface Imported {
  readonly image: Image | undefined;
  readonly beganAt: number;
}

/** Imports bytes as clients do. */
export async function importBytes(connection: Calls, bytes: Buffer, wanted: TestImport): Promise<Imported> {
  const { cutAt = Number.POSITIVE_INFINITY, sha256 = createHash("sha256").update(bytes).digest(), ...given } = wanted;
  const cut = new AbortController();
  const at = Promise.withResolvers<number>();
  at.promise.catch(() => undefined);
  const begin = ImportBegin.fromPartial({ uploadId: given.imageId, sizeBytes: BigInt(bytes.length), ...given });
  const requests = async function* (): AsyncIterable<ImportImageRequest> {
    yield { message: { $case: "begin", value: begin } };
    for (let position = await at.promise; position < bytes.length; position += pieceBytes) {
      if (position >= cutAt) {
        // What was sent before has been taken when so much is told back.
        await heard(position);
        cut.abort();
        return;
      }
      yield { message: { $case: "data", value: bytes.subarray(position, position + pieceBytes) } };
    }
    yield { message: { $case: "end", value: { sha256 } } };
  };
  let received = -1;
  let wake: (() => void) | undefined;
  // Progress is told each 4 MiB; what comes after the last is on its way.
  const heard = async (position: number): Promise<void> => {
    while (received < position - 4 * 1024 * 1024) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  let image: Image | undefined;
  let beganAt = 0;
  try {
    for await (const { message } of connection.bidi(ImageServiceService.importImage, requests(), {
      signal: cut.signal,
    })) {
      if (message?.$case === "progress") {
        if (received < 0) beganAt = Number(message.value.receivedBytes);
        received = Number(message.value.receivedBytes);
        at.resolve(received);
        wake?.();
      }
      if (message?.$case === "image") image = message.value;
    }
  } catch (error) {
    at.reject(error);
    if (!cut.signal.aborted) throw error;
  }
  return { image, beganAt };
}

/** Bytes that cannot be told from random ones, the same for the same seed. */
export function noise(seed: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let block = createHash("sha256").update(seed).digest();
  for (let at = 0; at < length; at += 32) {
    block.copy(bytes, at, 0, Math.min(32, length - at));
    block = createHash("sha256").update(block).digest();
  }
  return bytes;
}
