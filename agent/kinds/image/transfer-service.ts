import { hash } from "node:crypto";
import { appendFile, type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { parseId, quote } from "../../../lib/names.js";
import type {
  Chunk,
  ChunkRange,
  ImageTransferServiceService,
  ListChunksResponse,
  ReadChunksRequest,
  ReadChunksResponse,
  ReceiveBegin,
  ReceiveImageRequest,
  ReceiveImageResponse,
} from "../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import { chunkBytes } from "../../images/chunker.js";
import { type ScannedContent, scanContent, type StoredChunk } from "../../images/content-scan.js";
import { type Arrival, arrivalKey } from "../../images/incoming.js";
import { prepareImage } from "../../images/import/prepare.js";
import { ArchiveError } from "../../images/import/zip.js";
import { writeSparse } from "../../images/sparse-writer.js";
import { asFailure } from "../../kit/failure.js";
import type { ImportOptions } from "./import-service.js";
import { isArchitecture, newImage, type StoredContent } from "./new-image.js";
import { checkImageSpec } from "./images.js";
import { checkLabels } from "../../../lib/labels.js";
import { LocalChunks } from "./local-chunks.js";

const listSize = 5000;
const maxChunks = 2 ** 22;
/** "hosts/{host}/images/{image}". */
const maxNameLength = 200;

/** Gives and takes images in chunks; a hub asks. */
export function transferService(options: ImportOptions): Handlers<typeof ImageTransferServiceService> {
  return {
    listChunks: ({ imageId }) => listChunks(options, imageId),
    readChunks: (request, context) => readChunks(options, request, context.signal),
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

async function* readChunks(
  { images }: ImportOptions,
  { digest, ranges }: ReadChunksRequest,
  signal: AbortSignal,
): AsyncIterable<ReadChunksResponse> {
  const sha256 = parseDigest("digest", digest);
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
  options: ImportOptions,
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
    const there = images.store.isDamaged(sha256)
      ? undefined
      : images.store.list().find((each) => each.sha256 === sha256);
    const isThere = there !== undefined;
    const receiver = await ChunkReceiver.open({ arrival, chunks, sizeBytes });
    let scanned: ScannedContent = { sha256, sizeBytes, chunks };
    await using _file = receiver;
    if (!isThere) await receiver.takeLocal(await LocalChunks.open(images.store), context.signal);
    const missing = isThere ? [] : receiver.missing();
    await room.assertFits(
      missing.reduce((sum, index) => sum + (chunks[index]?.length ?? 0), 0),
      name,
    );
    yield { message: { $case: "missing", value: { ranges: toRanges(missing) } } };
    for (const left = new Set(missing); left.size > 0; ) {
      const step = await iterator.next();
      if (step.done === true || context.signal.aborted) {
        return;
      }
      const { message } = step.value;
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
    const bytes = missing.reduce((sum, index) => sum + (chunks[index]?.length ?? 0), 0);
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
    const sent = `${bytes} of ${sizeBytes} bytes in ${missing.length} of ${chunks.length} chunks came; the others were there`;
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

/** The chunks of an image that comes, in a file, with a list of those that are there beside it. */
class ChunkReceiver implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #log: string;
  readonly #chunks: readonly StoredChunk[];
  readonly #offsets: readonly number[];
  readonly #sizeBytes: number;
  readonly #have: Set<number>;

  private constructor(
    file: FileHandle,
    log: string,
    have: Set<number>,
    whole: { readonly chunks: readonly StoredChunk[]; readonly sizeBytes: number },
  ) {
    this.#file = file;
    this.#log = log;
    this.#have = have;
    this.#chunks = whole.chunks;
    this.#sizeBytes = whole.sizeBytes;
    this.#offsets = offsetsOf(whole.chunks);
  }

  static async open(options: {
    readonly arrival: Arrival;
    readonly chunks: readonly StoredChunk[];
    readonly sizeBytes: number;
  }): Promise<ChunkReceiver> {
    const { arrival, chunks } = options;
    const log = join(arrival.directory, "have");
    const bytes = await readFile(log).catch(() => Buffer.alloc(0));
    const have = new Set<number>();
    for (let at = 0; at + 4 <= bytes.length; at += 4) have.add(bytes.readUInt32LE(at));
    return new ChunkReceiver(
      await open(arrival.data, "r+"),
      log,
      new Set([...have].filter((index) => index < chunks.length)),
      options,
    );
  }

  /** Takes what other images on this host have. */
  async takeLocal(local: LocalChunks, signal: AbortSignal): Promise<void> {
    await using chunks = local;
    for (const index of this.missing()) {
      signal.throwIfAborted();
      const data = await chunks.read(this.#chunks[index]);
      if (data !== undefined) await this.take(index, data);
    }
  }

  missing(): readonly number[] {
    return this.#chunks.flatMap((_, index) => (this.#have.has(index) ? [] : [index]));
  }

  /** @throws {ZorError} when it is not what it should be. */
  async take(index: number, data: Buffer): Promise<void> {
    const [chunk, offset] = [this.#chunks[index], this.#offsets[index]];
    if (chunk === undefined || offset === undefined || hash("sha256", data, "hex") !== chunk.sha256) {
      throw new ArchiveError(`was damaged on the way: chunk ${index} has another digest; push it again`);
    }
    await writeSparse(this.#file, data, offset);
    const entry = Buffer.alloc(4);
    entry.writeUInt32LE(index);
    // After the bytes: what is in the list is in the file, unless the host itself went down, which the digest of the whole tells.
    await appendFile(this.#log, entry);
    this.#have.add(index);
  }

  /** The last block may be a hole. */
  async finish(): Promise<void> {
    await this.#file.truncate(this.#sizeBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
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

async function readList(iterator: AsyncIterator<ReceiveImageRequest>, count: number): Promise<readonly StoredChunk[]> {
  const chunks: StoredChunk[] = [];
  while (chunks.length < count) {
    const step = await iterator.next();
    const message = step.done === true ? undefined : step.value.message;
    if (message?.$case !== "list") throw invalidArgument("list", `ended after ${chunks.length} of ${count} chunks`);
    for (const { sha256, length } of message.value.chunks) {
      const isGood = sha256.length === 32 && length > 0 && length <= chunkBytes.most && chunks.length < count;
      if (!isGood) throw invalidArgument("list", "has a chunk that is none");
      chunks.push({ sha256: sha256.toString("hex"), length });
    }
  }
  return chunks;
}

async function readChunk(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

function offsetsOf(chunks: readonly StoredChunk[]): readonly number[] {
  let offset = 0;
  return chunks.map(({ length }) => {
    offset += length;
    return offset - length;
  });
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
