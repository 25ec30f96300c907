import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import {
  type ChunkRange,
  ImageTransferServiceService as methods,
  type ReceiveImageRequest,
} from "../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import type { ReadyAgent } from "../../fleet/session.js";
import { ChunkList } from "./chunk-list.js";

/** A copy of an image from one host to another. */
export interface CopyOptions {
  readonly source: ReadyAgent;
  readonly target: ReadyAgent;
  /** Id at the source. */
  readonly sourceId: string;
  /** Id at the target. */
  readonly imageId: string;
  readonly caller: string;
  /** 0: not limited. */
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
  readonly progress: (sentBytes: number, missingBytes: number, wholeBytes: number) => void;
}

/** Chunks of one message. */
const listSize = 5000;

/**
 * Copies an image: tells the target all its chunks, asks the source for those that the target lacks, and passes them on. Neither side is
 * read faster than the other takes it. @throws {ZorError}
 */
export async function copyImage(options: CopyOptions): Promise<Image> {
  const { source, target, sourceId, imageId, caller } = options;
  const abort = new AbortController();
  const signal = AbortSignal.any([options.signal, source.signal, target.signal, abort.signal]);
  try {
    const { image, chunks } = await listChunks(source, sourceId, signal);
    const pace = new Pace(options.bytesPerSecond);
    const missing = Promise.withResolvers<readonly ChunkRange[]>();
    missing.promise.catch(() => undefined);
    const requests = async function* (): AsyncIterable<ReceiveImageRequest> {
      yield { message: { $case: "begin", value: { imageId, image, chunkCount: chunks.count, caller } } };
      for (let at = 0; at < chunks.count; at += listSize)
        yield { message: { $case: "list", value: { chunks: chunks.slice(at, at + listSize) } } };
      const ranges = await missing.promise;
      if (ranges.length === 0) return;
      const missingBytes = chunks.bytesOf(ranges);
      const wholeBytes = chunks.bytes;
      let sent = 0;
      const read = source.connection.stream(
        methods.readChunks,
        { digest: image.status?.digest ?? "", ranges: [...ranges] },
        { signal },
      );
      for await (const chunk of read) {
        yield { message: { $case: "chunk", value: chunk } };
        sent += chunk.data.length;
        options.progress(sent, missingBytes, wholeBytes);
        await pace.after(chunk.data.length, signal);
      }
    };
    // What the source fails with is the cause; the target only learns that nothing more comes.
    let failure: unknown;
    const guarded = async function* (): AsyncIterable<ReceiveImageRequest> {
      try {
        yield* requests();
      } catch (error) {
        failure = error;
        abort.abort();
        throw error;
      }
    };
    try {
      for await (const { message } of target.connection.bidi(methods.receiveImage, guarded(), { signal })) {
        if (message?.$case === "missing") missing.resolve(message.value.ranges);
        if (message?.$case === "image") return message.value;
      }
    } catch (error) {
      throw failure ?? error;
    }
    throw new ZorError({
      reason: "PUSH_CUT",
      code: status.UNAVAILABLE,
      message: "the host ended the push before it was whole",
    });
  } finally {
    abort.abort();
  }
}

async function listChunks(
  source: ReadyAgent,
  imageId: string,
  signal: AbortSignal,
): Promise<{ readonly image: Image; readonly chunks: ChunkList }> {
  let image: Image | undefined;
  const chunks = new ChunkList();
  for await (const part of source.connection.stream(methods.listChunks, { imageId }, { signal })) {
    image ??= part.image;
    chunks.push(part.chunks);
  }
  if (image !== undefined) return { image, chunks };
  throw new ZorError({ reason: "PUSH_CUT", code: status.UNAVAILABLE, message: "the host told nothing of the image" });
}

/** Holds a rate. */
class Pace {
  readonly #bytesPerSecond: number;
  readonly #began = performance.now();
  #bytes = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits as long as the bytes may take. */
  async after(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    this.#bytes += bytes;
    const dueMs = (1000 * this.#bytes) / this.#bytesPerSecond - (performance.now() - this.#began);
    if (dueMs > 0) await sleep(dueMs, undefined, { signal });
  }
}
