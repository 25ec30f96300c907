import { type FileHandle, open } from "node:fs/promises";
import { failedPrecondition, invalidArgument, permissionDenied, resourceExhausted } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { parseId, quote } from "../../../lib/names.js";
import type {
  Chunk,
  ChunkRange,
  ImageTransferServiceService,
  ListChunksResponse,
  FetchChunksRequest,
  ReadChunksResponse,
  ReceiveBegin,
  ReceiveImageRequest,
  ReceiveImageResponse,
} from "../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import { type ScannedContent, scanContent, type StoredChunk } from "../../images/content-scan.js";
import { arrivalKey } from "../../images/incoming.js";
import { prepareImage } from "../../images/import/prepare.js";
import { ArchiveError } from "../../images/import/zip.js";
import type { FetchTickets } from "../../images/fetch-tickets.js";
import { asFailure, isDiskFull } from "../../kit/failure.js";
import type { ImportOptions } from "./import-service.js";
import { isArchitecture, newImage, type StoredContent } from "./new-image.js";
import { checkImageSpec } from "./images.js";
import { checkLabels } from "../../../lib/labels.js";
import { ChunkReceiver, offsetsOf } from "./chunk-receiver.js";
import { fetchChunks, type FetchOptions, type PeerIdentity, ticketBytes } from "./fetch.js";
import { LocalChunks } from "./local-chunks.js";
import { readList } from "./receive-list.js";
import { toldOf } from "../../host/told.js";

const listSize = 5000;
const maxTtlSeconds = 600;
const maxChunks = 2 ** 22;
/** "hosts/{host}/images/{image}". */
const maxNameLength = 200;

/** What images are given and taken with. */
export interface TransferOptions extends ImportOptions {
  readonly tickets: FetchTickets;
  readonly peer: PeerIdentity;
}

/** Gives and takes images in chunks; a hub asks. */
export function transferService(options: TransferOptions): Handlers<typeof ImageTransferServiceService> {
  return {
    listChunks: ({ imageId }) => listChunks(options, imageId),
    readChunks: ({ digest, ranges }, { signal }) => readChunks(options, parseDigest("digest", digest), ranges, signal),
    allowFetch: async ({ digest, peer, ticket, ttlSeconds }) => {
      const sha256 = parseDigest("digest", digest);
      parseId("peer", peer);
      if (ticket.length !== ticketBytes) throw invalidArgument("ticket", `has not ${ticketBytes} bytes`);
      if (ttlSeconds < 1 || ttlSeconds > maxTtlSeconds)
        throw invalidArgument("ttl_seconds", `${ttlSeconds} is not between 1 and ${maxTtlSeconds}`);
      if (options.tickets.allow(ticket, { sha256, peer }, ttlSeconds)) return {};
      throw resourceExhausted("TOO_MANY_TICKETS", "too many hosts were allowed to read images here and have not begun");
    },
    fetchChunks: (request, context) => fetched(options, request, context),
    receiveImage: (requests, context) => receiveImage(options, requests, context),
    dropImage: async ({ digest }) => {
      await options.incoming.drop(receiveKey(parseDigest("digest", digest)));
      return {};
    },
  };
}

async function* listChunks({ images }: ImportOptions, id: string): AsyncIterable<ListChunksResponse> {
  parseId("image_id", id);
  const { sha256 } = images.stored(id, "pushed");
  images.assertWhole(id, "pushed");
  if (images.store.isDamaged(sha256)) {
    throw failedPrecondition(
      "IMAGE_DAMAGED",
      images.nameOf(id),
      `${images.nameOf(id)} is damaged and is not pushed; import it again`,
    );
  }
  const chunks = (await images.store.chunksOf(sha256)) ?? (await scanAgain(images.store.contentPath(sha256)));
  yield { image: images.get(id), chunks: chunks.slice(0, listSize).map(toChunk) };
  for (let at = listSize; at < chunks.length; at += listSize)
    yield { image: undefined, chunks: chunks.slice(at, at + listSize).map(toChunk) };
}

async function scanAgain(path: string): Promise<readonly StoredChunk[]> {
  await using file = await open(path, "r");
  return (await scanContent(file, { signal: new AbortController().signal })).chunks;
}

async function* fetched(
  options: TransferOptions,
  { ticket, ranges }: FetchChunksRequest,
  { caller, signal }: CallContext,
): AsyncIterable<ReadChunksResponse> {
  const found = caller.kind === "host" ? options.tickets.use(ticket, caller.id) : undefined;
  if (found === undefined) {
    throw permissionDenied(`${caller.identity} may not read images here: its ticket is none, was used, or is too old`);
  }
  yield* readChunks(options, found.sha256, ranges, signal);
}

async function* readChunks(
  { images }: ImportOptions,
  sha256: string,
  ranges: readonly ChunkRange[],
  signal: AbortSignal,
): AsyncIterable<ReadChunksResponse> {
  const path = images.store.contentPath(sha256);
  const chunks = (await images.store.chunksOf(sha256)) ?? (await scanAgain(path));
  await using file = await open(path, "r");
  const offsets = offsetsOf(chunks);
  for (const { first, count } of ranges) {
    for (let index = first; index < first + count; index += 1) {
      signal.throwIfAborted();
      const [chunk, offset] = [chunks[index], offsets[index]];
      if (chunk === undefined || offset === undefined) throw invalidArgument("ranges", `there is no chunk ${index}`);
      yield { index, data: await readChunk(file, offset, chunk.length) };
    }
  }
}

/** Takes an image. What has come stays when it is cut off. */
async function* receiveImage(
  options: TransferOptions,
  requests: AsyncIterable<ReceiveImageRequest>,
  context: CallContext,
): AsyncIterable<ReceiveImageResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const { images, incoming, room, now } = options;
  const { begin, sha256, sizeBytes } = readBegin(await iterator.next());
  const { imageId: id, caller } = begin;
  const name = images.nameOf(id);
  const known = images.store.find(id);
  if (known !== undefined && known.sha256 === sha256 && !images.store.isDamaged(sha256)) {
    yield { message: { $case: "image", value: images.get(id) } };
    return;
  }
  // A damaged one is brought anew, under the same name.
  using _reserved = known?.sha256 === sha256 ? undefined : images.reserve(id);
  const chunks = await readList(iterator, begin.chunkCount);
  if (chunks.reduce((sum, { length }) => sum + length, 0) !== sizeBytes)
    throw invalidArgument("list", "is not as long as the image");
  const arrival = await incoming.take(receiveKey(sha256), { sizeBytes, resumable: true }, name);
  // Also when the call ends while an answer is on its way.
  let isKept = true;
  try {
    // It does not go meanwhile, though its last image may.
    await using held = images.store.hold(sha256);
    const there = held === undefined ? undefined : images.store.find(images.store.having(sha256)[0] ?? "");
    const isThere = there !== undefined;
    const receiver = await ChunkReceiver.open({ arrival, chunks, sizeBytes });
    let scanned: ScannedContent = { sha256, sizeBytes, chunks };
    await using _file = receiver;
    // A list may name one chunk as often as it likes: what is copied here takes room as well.
    const takeLocal = async (signal: AbortSignal): Promise<void> =>
      await receiver.takeLocal(await LocalChunks.open(images.store), signal);
    if (!isThere) await room.guard(name, context.signal, takeLocal);
    const missing = isThere ? [] : receiver.missing();
    await room.assertFits(receiver.bytesOf(missing), name);
    yield toMissing(missing, "");
    let how = "through the hub";
    for (let left = new Set(missing); left.size > 0; ) {
      const step = await iterator.next();
      if (step.done === true || context.signal.aborted) {
        return;
      }
      const { message } = step.value;
      if (message?.$case === "fetch") {
        const from = message.value;
        const wanted = { from, peer: options.peer, receiver, ranges: toRanges([...left]), signal: context.signal };
        const failure = yield* fetchInto(wanted);
        left = new Set(receiver.missing());
        how = `directly from hosts/${from.peer}`;
        if (left.size > 0) yield toMissing([...left], failure);
        continue;
      }
      if (message?.$case !== "chunk") throw invalidArgument("message", "is not a chunk");
      const { index, data } = message.value;
      if (!left.delete(index)) throw invalidArgument("chunk.index", `${index} was not asked for`);
      await receiver.take(index, data);
    }
    let path: string | undefined;
    // What another host says is not believed: what is not here yet is looked at like any file.
    let content: StoredContent = there ?? { format: "raw", virtualSizeBytes: 0, architecture: "" };
    if (!isThere) {
      await receiver.finish();
      const prepared = await prepareImage({
        ...{ directory: arrival.directory, file: "data", room, spareBytes: 0, signal: context.signal },
        progress: () => undefined,
      });
      ({ path, content, scanned } = prepared);
      if (scanned.sha256 !== sha256)
        throw new ArchiveError("was damaged on the way: it has another digest; push it again");
    }
    const bytes = receiver.bytesOf(missing);
    const { spec, labels, status } = begin.image ?? {};
    const { description = "", tags = [] } = spec ?? {};
    const { architecture = "" } = status ?? {};
    const origin = `push ${begin.image?.name ?? ""}`;
    const said = { id, description, tags, labels: labels ?? {}, architecture, origin, caller, uploadKey: "" };
    const stored = newImage(said, content, scanned, now());
    const image = await images.add(
      known === undefined ? stored : { ...known, ...{ verifyTime: stored.createTime } },
      scanned,
      path,
    );
    const sent = `${bytes} of ${sizeBytes} bytes in ${missing.length} of ${chunks.length} chunks came ${how}; the others were there`;
    images.tell("received", id, sent, caller);
    isKept = false;
    yield { message: { $case: "image", value: image } };
  } catch (error) {
    isKept = context.signal.aborted;
    throw error instanceof ArchiveError
      ? invalidArgument("begin.image", `the image ${quote(id)} ${error.message}`, name)
      : asFailure(error, name, "receive");
  } finally {
    if (isKept) await arrival.leave();
    else await arrival.drop();
  }
}

/** Reads what is missing from another host. Returns why some is left; "": nothing is. */
async function* fetchInto(options: FetchOptions): AsyncGenerator<ReceiveImageResponse, string> {
  try {
    for await (const bytes of fetchChunks(options))
      yield { message: { $case: "fetched", value: { bytes: BigInt(bytes) } } };
    return options.receiver.missing().length === 0 ? "" : "it ended before all had come";
  } catch (error) {
    options.signal.throwIfAborted();
    // What was damaged is no matter of the way it took.
    if (error instanceof ArchiveError || isDiskFull(error)) throw error;
    return toldOf(error);
  }
}

function toMissing(missing: readonly number[], fetchFailure: string): ReceiveImageResponse {
  return { message: { $case: "missing", value: { ranges: toRanges(missing), fetchFailure } } };
}

function readBegin(first: IteratorResult<ReceiveImageRequest>): {
  readonly begin: ReceiveBegin;
  readonly sha256: string;
  readonly sizeBytes: number;
} {
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case !== "begin") throw invalidArgument("begin", "must be the first message");
  const begin = message.value;
  parseId("begin.image_id", begin.imageId);
  const { image, chunkCount } = begin;
  const sizeBytes = Number(image?.status?.sizeBytes ?? 0n);
  if (chunkCount < 1 || chunkCount > maxChunks)
    throw invalidArgument("begin.chunk_count", `${chunkCount} is not between 1 and ${maxChunks}`);
  const wrong = [
    ...checkImageSpec("begin.image.spec", image?.spec ?? { description: "", tags: [] }),
    ...checkLabels("begin.image.labels", image?.labels ?? {}),
  ];
  const { name = "", status: told } = image ?? {};
  if (!isArchitecture(told?.architecture ?? ""))
    wrong.push({ field: "begin.image.status.architecture", description: 'is not one; "amd64" is' });
  if (name.length > maxNameLength)
    wrong.push({ field: "begin.image.name", description: "is not the name of an image" });
  if (wrong[0] !== undefined) throw invalidArgument(wrong[0].field, wrong[0].description);
  return { begin, sha256: parseDigest("begin.image.status.digest", image?.status?.digest ?? ""), sizeBytes };
}

async function readChunk(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

function toRanges(indexes: readonly number[]): ChunkRange[] {
  const ranges: ChunkRange[] = [];
  for (const index of indexes) {
    const last = ranges.at(-1);
    if (last !== undefined && last.first + last.count === index) last.count += 1;
    else ranges.push({ first: index, count: 1 });
  }
  return ranges;
}

function toChunk({ sha256, length }: StoredChunk): Chunk {
  return { sha256: Buffer.from(sha256, "hex"), length };
}

function receiveKey(sha256: string): string {
  return arrivalKey("receive", sha256);
}

function parseDigest(field: string, digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex !== undefined) return hex;
  throw invalidArgument(field, `${quote(digest)} is not a digest such as "sha256:…"`);
}
