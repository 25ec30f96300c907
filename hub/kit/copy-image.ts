import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { AsyncQueue } from "../../lib/async-queue.js";
import { ZorError } from "../../lib/errors.js";
import { Pace } from "../../lib/pace.js";
import type { Image } from "../../proto/gen/zor/v1/image.js";
import {
  type FetchFrom,
  ImageTransferServiceService as methods,
  type MissingChunks,
  type ReceiveImageRequest,
} from "../../proto/gen/zor/agent/v1/image_transfer_service.js";
import type { ReadyAgent } from "../fleet/session.js";
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
  /** How the target may read from the source itself; undefined: it may not, or cannot. */
  readonly direct: DirectWay | undefined;
  readonly signal: AbortSignal;
  readonly progress: (done: CopyProgress) => void;
}

/** How one host reaches another. */
export interface DirectWay {
  /** Ids of the hosts. */
  readonly from: string;
  readonly to: string;
  /** "address:port" of the source's agent, best first. */
  readonly addresses: readonly string[];
}

/** How far a copy has come. */
export interface CopyProgress {
  readonly sentBytes: number;
  readonly missingBytes: number;
  readonly wholeBytes: number;
  /** "directly", or "through the hub"; with the reason, where the other was tried. */
  readonly way: string;
}

/** Chunks of one message. */
const listSize = 5000;
const ticketBytes = 32;
const ticketSeconds = 60;
/** How often a target says what it lacks: before and after it read directly. */
const maxAsked = 2;

/**
 * Copies an image: tells the target all its chunks, which then reads those that it lacks from the source, by a ticket that is good once and
 * for these two hosts alone. Where it cannot, the source is asked for them and they are passed on; neither side is read faster than the
 * other takes it. @throws {ZorError}
 */
export async function copyImage(options: CopyOptions): Promise<Image> {
  const { source, target, sourceId, imageId, caller } = options;
  const abort = new AbortController();
  const asked = new AsyncQueue<MissingChunks>(maxAsked);
  const signal = AbortSignal.any([options.signal, source.signal, target.signal, abort.signal]);
  try {
    const { image, chunks } = await listChunks(source, sourceId, signal);
    const pace = new Pace(options.bytesPerSecond);
    const wholeBytes = chunks.bytes;
    const answers = asked[Symbol.asyncIterator]();
    const digest = image.status?.digest ?? "";
    let [missingBytes, directBytes] = [0, 0];
    const requests = async function* (): AsyncIterable<ReceiveImageRequest> {
      yield { message: { $case: "begin", value: { imageId, image, chunkCount: chunks.count, caller } } };
      for (let at = 0; at < chunks.count; at += listSize)
        yield { message: { $case: "list", value: { chunks: chunks.slice(at, at + listSize) } } };
      let missing = await nextOf(answers);
      if (missing === undefined || missing.ranges.length === 0) return;
      missingBytes = chunks.bytesOf(missing.ranges);
      let way = "through the hub";
      const fetch = await allowDirect(options, digest, signal);
      if (fetch !== undefined) {
        yield { message: { $case: "fetch", value: fetch } };
        // Nothing more is asked when all has come.
        missing = await nextOf(answers);
        if (missing === undefined) return;
        way = `through the hub (directly: ${missing.fetchFailure.slice(0, 200)})`;
      }
      let sentBytes = missingBytes - chunks.bytesOf(missing.ranges);
      const read = source.connection.stream(methods.readChunks, { digest, ranges: missing.ranges }, { signal });
      for await (const chunk of read) {
        yield { message: { $case: "chunk", value: chunk } };
        sentBytes += chunk.data.length;
        options.progress({ sentBytes, missingBytes, wholeBytes, way });
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
        if (message?.$case === "missing") asked.push(message.value);
        if (message?.$case === "fetched") {
          directBytes = Math.max(directBytes, Number(message.value.bytes));
          const sentBytes = Math.min(directBytes, missingBytes);
          options.progress({ sentBytes, missingBytes, wholeBytes, way: "directly" });
        }
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
    asked.end();
  }
}

async function nextOf<T>(items: AsyncIterator<T>): Promise<T | undefined> {
  const step = await items.next();
  return step.done === true ? undefined : step.value;
}

const indirect: ReadonlySet<number> = new Set([status.UNIMPLEMENTED, status.RESOURCE_EXHAUSTED]);

/** Has the source let the target read from it; undefined when that cannot be. */
async function allowDirect(
  { source, direct, bytesPerSecond }: CopyOptions,
  digest: string,
  signal: AbortSignal,
): Promise<FetchFrom | undefined> {
  if (direct === undefined || direct.addresses.length === 0) return undefined;
  const ticket = randomBytes(ticketBytes);
  const allowed = { digest, peer: direct.to, ticket, ttlSeconds: ticketSeconds };
  try {
    await source.connection.unary(methods.allowFetch, allowed, { signal });
  } catch (error) {
    // An agent of an older version, or one that has let too many others read already: then it goes through the hub.
    if (error instanceof ZorError && indirect.has(error.code)) return undefined;
    throw error;
  }
  const { from: peer, addresses } = direct;
  return { peer, addresses: [...addresses], ticket, bytesPerSecond: BigInt(bytesPerSecond) };
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
