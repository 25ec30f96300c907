import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { invalidArgument, invalidFields } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { checkLabels } from "../../../lib/labels.js";
import { parseId, quote } from "../../../lib/names.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import type { ImportBegin, ImportImageRequest, ImportImageResponse } from "../../../proto/gen/zor/v1/image_service.js";
import { type Arrival, arrivalKey, type Incoming } from "../../images/incoming.js";
import type { ImageRoom } from "../../images/image-room.js";
import { prepareImage } from "../../images/import/prepare.js";
import { ArchiveError } from "../../images/import/zip.js";
import { writeSparse } from "../../images/sparse-writer.js";
import { asFailure } from "../../kit/failure.js";
import type { HostScope } from "../../kit/host-scope.js";
import { checkImageSpec, type Images } from "./images.js";
import { isArchitecture, newImage } from "./new-image.js";
import { StepQueue } from "./step-queue.js";

/** What imports work with. */
export interface ImportOptions {
  readonly images: Images;
  readonly incoming: Incoming;
  readonly room: ImageRoom;
  readonly scope: HostScope;
  readonly now: () => Date;
}

const maxDataBytes = 4 * 1024 * 1024;
/** The client is told how far it has come each time so much has. */
const tellBytes = 4 * 1024 * 1024;
/** The room is looked at each time so much has come. */
const roomBytes = 64 * 1024 * 1024;

/** Key of an import: of the same caller alone. */
export function importKey(caller: string, uploadId: string): string {
  return arrivalKey("import", caller, uploadId);
}

/** Takes in an image that a client sends. What is cut off stays for a while when it can go on. */
export async function* importImage(
  options: ImportOptions,
  requests: AsyncIterable<ImportImageRequest>,
  context: CallContext,
): AsyncIterable<ImportImageResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const begin = readBegin(await iterator.next(), options.scope);
  const { images, incoming, room } = options;
  const caller = context.caller.identity;
  const key = importKey(caller, begin.uploadId);
  const name = images.nameOf(begin.imageId);
  const known = images.store.find(begin.imageId);
  if (known !== undefined && known.uploadKey === key) {
    // Its last answer was lost.
    yield done(images.get(begin.imageId));
    return;
  }
  // A damaged one is brought anew, under the same name, for those who need it.
  const damaged = known !== undefined && images.store.isDamaged(known.sha256) ? known : undefined;
  using _reserved = damaged === undefined ? images.reserve(begin.imageId) : undefined;
  const sizeBytes = Number(begin.sizeBytes);
  const arrival = await incoming.take(key, { sizeBytes, resumable: sizeBytes > 0 }, name);
  // Also when the call ends while an answer is on its way.
  let isKept = sizeBytes > 0;
  try {
    await using file = await open(arrival.data, "r+");
    const before = (await file.stat()).size;
    await room.assertFits(Math.max(0, sizeBytes - before), name);
    yield toProgress(before, "receiving", 0);
    const receiver = new Receiver({ file, sizeBytes, position: before, room, name });
    let told = before;
    let sha256: Buffer | undefined;
    while (sha256 === undefined) {
      const step = await iterator.next();
      // Cut off, or nothing was to come.
      if (step.done === true || context.signal.aborted) {
        await receiver.flush();
        return;
      }
      const { message } = step.value;
      if (message?.$case === "data") await receiver.take(message.value);
      else if (message?.$case === "end") sha256 = message.value.sha256;
      else throw invalidArgument("message", "is neither data nor the end");
      if (receiver.position - told < tellBytes) continue;
      told = receiver.position;
      yield toProgress(told, "receiving", sizeBytes === 0 ? 0 : (100 * told) / sizeBytes);
    }
    await receiver.finish(sha256, context.signal);
    const steps = new StepQueue();
    const making = make(options, { begin, arrival, caller, key, signal: context.signal, steps });
    for await (const { step, percent } of steps.until(making)) yield toProgress(receiver.position, step, percent);
    const image = await making;
    isKept = false;
    yield done(image);
  } catch (error) {
    isKept = context.signal.aborted && sizeBytes > 0;
    throw error instanceof ArchiveError
      ? invalidArgument("begin", `the image ${quote(begin.imageId)} ${error.message}`, name)
      : asFailure(error, name, "import");
  } finally {
    if (isKept) await arrival.leave();
    else await arrival.drop();
  }
}

async function make(
  { images, room, now }: ImportOptions,
  making: {
    readonly begin: ImportBegin;
    readonly arrival: Arrival;
    readonly caller: string;
    readonly key: string;
    readonly signal: AbortSignal;
    readonly steps: StepQueue;
  },
): Promise<Image> {
  const { begin, arrival, caller, key, signal, steps } = making;
  const { imageId: id, description, tags, labels, architecture, fileName } = begin;
  const spareBytes = await room.spareBytes();
  const progress = (step: string, percent: number): void => steps.set({ step, percent });
  const { path, content, scanned } = await room.guard(images.nameOf(id), signal, (whole) =>
    prepareImage({ directory: arrival.directory, file: "data", room, spareBytes, signal: whole, progress }),
  );
  steps.set({ step: "storing", percent: 99 });
  const damaged = images.store.find(id);
  if (damaged !== undefined) {
    if (damaged.sha256 !== scanned.sha256) {
      throw new ArchiveError("is there, damaged, with another content; import that again, or delete it first");
    }
    return images.add({ ...damaged, verifyTime: now().toISOString() }, scanned, path);
  }
  const origin = fileName === "" ? "import" : `import ${fileName}`;
  const said = { id, description, tags, labels, architecture, origin, caller, uploadKey: key };
  const isThere = images.store.isWhole(scanned.sha256);
  return images.add(newImage(said, content, scanned, now()), scanned, isThere ? undefined : path);
}

/** What an import is received with. */
interface ReceiverOptions {
  readonly file: FileHandle;
  /** 0: not known. */
  readonly sizeBytes: number;
  /** Bytes that are there already. */
  readonly position: number;
  readonly room: ImageRoom;
  readonly name: string;
}

/** Writes what comes, and holds the client to what it said. */
class Receiver {
  readonly #options: ReceiverOptions;
  #hash: ReturnType<typeof createHash> | undefined;
  #looked: number;
  position: number;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.position = options.position;
    this.#looked = options.position;
    // Of what came before, the digest is made from the file.
    this.#hash = options.position === 0 ? createHash("sha256") : undefined;
  }

  async take(data: Buffer): Promise<void> {
    const { file, sizeBytes, room, name } = this.#options;
    if (data.length > maxDataBytes) throw invalidArgument("data", `is longer than ${maxDataBytes} bytes`);
    if (sizeBytes > 0 && this.position + data.length > sizeBytes) {
      throw invalidArgument("data", `is more than the ${sizeBytes} bytes that begin.size_bytes says`);
    }
    // Also of what said its size: others that began at the same time were told of the same room.
    if (this.position - this.#looked >= roomBytes) {
      this.#looked = this.position;
      await room.assertFits(sizeBytes === 0 ? roomBytes : Math.min(roomBytes, sizeBytes - this.position), name);
    }
    await writeSparse(file, data, this.position);
    this.#hash?.update(data);
    this.position += data.length;
  }

  /** The last block may have been a hole. */
  async flush(): Promise<void> {
    await this.#options.file.truncate(this.position);
  }

  /** @throws {ZorError} when something is missing or is not as the client read it. */
  async finish(sha256: Buffer, signal: AbortSignal): Promise<void> {
    const { file, sizeBytes } = this.#options;
    await this.flush();
    if (sizeBytes > 0 && this.position !== sizeBytes) {
      throw invalidArgument("end", `came after ${this.position} of ${sizeBytes} bytes; send the rest`);
    }
    const found = this.#hash?.digest() ?? (await digestOf(file, signal));
    if (found.equals(sha256)) return;
    throw invalidArgument(
      "end.sha256",
      "is not the digest of what came: the file changed while it was sent, or was damaged on the way; import it again",
    );
  }
}

async function digestOf(file: FileHandle, signal: AbortSignal): Promise<Buffer> {
  const hash = createHash("sha256");
  for await (const data of file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1024 * 1024, signal }))
    hash.update(data as Buffer);
  return hash.digest();
}

function readBegin(first: IteratorResult<ImportImageRequest>, scope: HostScope): ImportBegin {
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case !== "begin") throw invalidArgument("begin", "must be the first message");
  const begin = message.value;
  scope.parseSelf("begin.parent", begin.parent);
  parseId("begin.image_id", begin.imageId);
  parseId("begin.upload_id", begin.uploadId);
  const { description, tags, sizeBytes, fileName, architecture, labels } = begin;
  const violations = [...checkImageSpec("begin", { description, tags }), ...checkLabels("begin.labels", labels)];
  if (sizeBytes < 0n || sizeBytes > 2n ** 50n)
    violations.push({ field: "begin.size_bytes", description: `${sizeBytes} is not between 0 and 1 PiB` });
  if (fileName.length > 255)
    violations.push({ field: "begin.file_name", description: "is longer than 255 characters" });
  if (!isArchitecture(architecture)) {
    violations.push({ field: "begin.architecture", description: `${quote(architecture)} is not one; "amd64" is` });
  }
  if (violations.length > 0) throw invalidFields(violations);
  return begin;
}

function toProgress(receivedBytes: number, step: string, percent: number): ImportImageResponse {
  const value = {
    receivedBytes: BigInt(receivedBytes),
    step,
    percent: Math.max(0, Math.min(100, Math.floor(percent))),
  };
  return { message: { $case: "progress", value } };
}

function done(image: Image): ImportImageResponse {
  return { message: { $case: "image", value: image } };
}
