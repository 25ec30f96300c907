import { invalidArgument, resourceExhausted } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { spoken } from "../../../lib/grpc/spoken.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { quote } from "../../../lib/names.js";
import { timeLimit } from "../../../lib/time-limit.js";
import {
  type DiskEntry,
  DiskLook,
  type DiskPlace,
  type DiskServiceService,
  type ReadDiskRequest,
  type ReadDiskResponse,
  type WriteDiskOpen,
  type WriteDiskRequest,
  type WriteDiskResponse,
} from "../../../proto/gen/zor/v1/disk_service.js";
import type { FileEntry, FilesRequest, OpenFiles } from "../../drivers/abilities/files.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";
import { asFailure } from "../../kit/failure.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { Access } from "./access.js";
import { assertStopped, cannotLook } from "./action-checks.js";
import type { InstanceManager } from "./manager.js";

/** What the disk service works with. */
export interface DiskServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
  readonly access: Access;
}

/** Of somebody who stays: the instance cannot be started meanwhile. */
const longestMs = 3_600_000;
/** Of somebody who writes and sends nothing; who does not take what is read is ended by the server itself. */
const silentMs = 120_000;
/** Most that wait for one instance. */
const maxWaiting = 8;
const pieceBytes = 256 * 1024;
const maxPathBytes = 4096;
const maxFileBytes = 2n ** 44n;
/** See ECMAScript's "Time Values". */
const maxSeconds = 8.64e12;
const [typeMask, directoryType, fileType] = [0o170000, 0o040000, 0o100000];

/** The disk service of this host. */
export function diskService(options: DiskServiceOptions): Handlers<typeof DiskServiceService> {
  const service = new DiskLooks(options);
  return {
    readDisk: (request, context) => service.read(request, context),
    writeDisk: (requests, context) => service.write(requests, context),
  };
}

/** Stages that are told as they come, between the parts of an answer. */
class Stages {
  #waiting: string[] = [];
  #changed = Promise.withResolvers<void>();

  readonly add = (stage: string): void => {
    this.#waiting.push(stage);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  };

  /** Resolves when there is one. */
  async changed(): Promise<void> {
    if (this.#waiting.length === 0) await this.#changed.promise;
  }

  take(): readonly string[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}

class DiskLooks {
  readonly #options: DiskServiceOptions;
  /** One looks at an instance at a time; the others wait. */
  readonly #turns = new KeyedQueue(maxWaiting);

  constructor(options: DiskServiceOptions) {
    this.#options = options;
  }

  async *read(
    { place, look }: ReadDiskRequest,
    { signal: until, caller }: CallContext,
  ): AsyncGenerator<ReadDiskResponse> {
    const wanted = look === DiskLook.DISK_LOOK_UNSPECIFIED ? DiskLook.DISK_LOOK_LIST : look;
    if (!(wanted in words)) throw invalidArgument("look", `${look} is none of those that there are`);
    const isOverview = wanted === DiskLook.DISK_LOOK_USAGE;
    const where = checkedPlace("place", place, isOverview);
    const id = this.#options.scope.parse("instance", "place.name", where.name);
    const reached = this.#options.manager.reach(id);
    const signal = AbortSignal.any([until, timeLimit(longestMs)]);
    const word = words[wanted as keyof typeof words];
    const said = isOverview ? word : `${quote(where.path)} on its disks was ${word}`;
    await using held = await this.#hold(id, `${caller.identity}, who looks into its disks`, signal);
    reached.tell("disk-read", said, caller.identity);
    const stages = new Stages();
    try {
      const request = { ...where, isOverview, writable: false, signal, onStage: stages.add };
      const opening = open(held.subject, request);
      await using _opened = closing(opening);
      yield* told(stages, opening);
      yield* parts(await opening, wanted, where.path);
    } catch (error) {
      throw asFailure(error, where.name, "look into the disks of");
    }
  }

  async *write(
    requests: AsyncIterable<WriteDiskRequest>,
    { signal: until, caller }: CallContext,
  ): AsyncGenerator<WriteDiskResponse> {
    const iterator = spoken(requests, silentMs)[Symbol.asyncIterator]();
    const asked = readOpen(await iterator.next());
    const where = checkedPlace("open.place", asked.place, false);
    const id = this.#options.scope.parse("instance", "open.place.name", where.name);
    const file = checkedFile(asked);
    const reached = this.#options.manager.reach(id);
    const signal = AbortSignal.any([until, timeLimit(longestMs)]);
    assertStopped(this.#options.access.look(id));
    await using held = await this.#hold(id, `${caller.identity}, who writes to its disks`, signal);
    assertStopped(held.subject);
    const stages = new Stages();
    const count = { bytes: 0 };
    try {
      const opening = open(held.subject, { ...where, isOverview: false, writable: true, signal, onStage: stages.add });
      await using _opened = closing(opening);
      for await (const { message } of told(stages, opening)) if (message?.$case === "stage") yield { message };
      const files = await opening;
      const content = contentOf(iterator, count);
      if (asked.archive) await files.unpack(where.path, content);
      else await files.write(where.path, file, content);
    } catch (error) {
      throw asFailure(error, where.name, "write to the disks of");
    }
    reached.tell(
      "disk-written",
      `${quote(where.path)} on its disks was written: ${count.bytes} bytes`,
      caller.identity,
    );
    yield { message: { $case: "done", value: {} } };
  }

  /** Has nothing else change the instance until this is disposed of; one that may be changed is only looked up. */
  async #hold(
    id: string,
    who: string,
    signal: AbortSignal,
  ): Promise<AsyncDisposable & { readonly subject: InstanceSubject }> {
    const { access } = this.#options;
    const now = access.look(id);
    const { files } = now.driver.can;
    if (files === undefined) throw cannotLook(now);
    if (now.handle !== undefined && files.isSharedWhileRunning === true) {
      return { subject: now, [Symbol.asyncDispose]: async () => undefined };
    }
    const [ready, done] = [Promise.withResolvers<InstanceSubject>(), Promise.withResolvers<void>()];
    const holding = this.#turns
      .run(id, async () => {
        signal.throwIfAborted();
        await access.claim(id, { what: "looked into", operation: who }, async (claimed) => {
          ready.resolve(claimed.subject());
          await done.promise;
        });
      })
      .catch(ready.reject);
    const subject = await ready.promise;
    return {
      subject,
      [Symbol.asyncDispose]: async () => {
        done.resolve();
        await holding;
      },
    };
  }
}

/** What somebody does, for events. */
const words = {
  [DiskLook.DISK_LOOK_LIST]: "listed",
  [DiskLook.DISK_LOOK_READ]: "read",
  [DiskLook.DISK_LOOK_TREE]: "copied",
  [DiskLook.DISK_LOOK_USAGE]: "the file systems of its disks were looked at",
  [DiskLook.DISK_LOOK_STAT]: "looked at",
} as const;

async function open({ driver, instance, handle }: InstanceSubject, request: FilesRequest): Promise<OpenFiles> {
  const { files } = driver.can;
  if (files === undefined) throw new Error("a driver without files was held for them");
  return await files.openFiles(instance, handle, request);
}

/** Closes what is opened also when whoever asked for it goes away meanwhile: until then the instance is held. */
function closing(opening: Promise<OpenFiles>): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      const files = await opening.catch(() => undefined);
      await files?.[Symbol.asyncDispose]();
    },
  };
}

/** Tells the stages until something is there. */
async function* told(stages: Stages, until: Promise<unknown>): AsyncGenerator<ReadDiskResponse> {
  let isThere = false;
  const settle = (): void => {
    isThere = true;
  };
  const settled = until.then(settle, settle);
  while (!isThere) {
    await Promise.race([settled, stages.changed()]);
    for (const value of stages.take()) yield { message: { $case: "stage", value } };
  }
}

async function* parts(files: OpenFiles, look: DiskLook, path: string): AsyncGenerator<ReadDiskResponse> {
  if (look === DiskLook.DISK_LOOK_USAGE) {
    for await (const { size, free, ...rest } of files.usage()) {
      yield { message: { $case: "usage", value: { ...rest, size: toBytes(size), free: toBytes(free) } } };
    }
    return;
  }
  const follows = look !== DiskLook.DISK_LOOK_LIST && look !== DiskLook.DISK_LOOK_TREE;
  const found = await files.stat(path, follows || path.endsWith("/"));
  const type = found.mode & typeMask;
  if (look === DiskLook.DISK_LOOK_LIST && type === directoryType) {
    for await (const each of files.list(path)) yield entry(each);
    return;
  }
  yield entry(found);
  if (look === DiskLook.DISK_LOOK_LIST || look === DiskLook.DISK_LOOK_STAT) return;
  if (look === DiskLook.DISK_LOOK_READ || type === fileType) yield* inPieces(files.read(path));
  else if (type === directoryType) yield* inPieces(files.pack(path));
}

async function* inPieces(data: AsyncIterable<Buffer>): AsyncGenerator<ReadDiskResponse> {
  for await (const each of data) {
    for (let at = 0; at < each.length; at += pieceBytes) {
      yield { message: { $case: "data", value: each.subarray(at, at + pieceBytes) } };
    }
  }
}

function entry({ name, mode, uid, gid, size, modified, target }: FileEntry): ReadDiskResponse {
  const value: DiskEntry = {
    ...{ name, mode: mode >>> 0, uid: uid >>> 0, gid: gid >>> 0, target },
    size: toBytes(size),
    modified: toSeconds(modified),
  };
  return { message: { $case: "entry", value } };
}

/** Sizes that a guest's file system claims may be anything. */
function toBytes(size: number): bigint {
  return Number.isFinite(size) && size > 0 ? BigInt(Math.floor(size)) : 0n;
}

/** Times may be as well: no later and no earlier than there are dates. */
function toSeconds(time: number): bigint {
  return Number.isNaN(time) ? 0n : BigInt(Math.floor(Math.max(-maxSeconds, Math.min(maxSeconds, time))));
}

function checkedPlace(field: string, place: DiskPlace | undefined, isOverview: boolean): DiskPlace {
  if (place === undefined) throw invalidArgument(field, "must be set");
  const { path, disk, filesystem } = place;
  if (disk.length > 64 || filesystem.length > 256) throw invalidArgument(field, "its disk or file system is too long");
  if (isOverview) {
    if (path !== "" || filesystem !== "") throw invalidArgument(field, "an overview has neither path nor file system");
    return place;
  }
  if (!path.startsWith("/")) throw invalidArgument(`${field}.path`, `${quote(path)} must be absolute`);
  if (path.includes("\0") || Buffer.byteLength(path) > maxPathBytes) {
    throw invalidArgument(`${field}.path`, `must be of up to ${maxPathBytes} bytes, without NUL`);
  }
  return place;
}

function checkedFile({ archive, size, mode, expected, base }: WriteDiskOpen): Parameters<OpenFiles["write"]>[1] {
  if (size > maxFileBytes) {
    throw resourceExhausted("FILE_TOO_LARGE", `open.size: ${size} is more than the ${maxFileBytes} bytes of one file`);
  }
  if (/[/\0]/.test(base) || base === "." || base === ".." || Buffer.byteLength(base) > 255) {
    throw invalidArgument("open.base", `${quote(base)} is no name of a file`);
  }
  if (mode > 0o7777) throw invalidArgument("open.mode", "must be from 0 to 07777");
  if (archive && size !== 0n) throw invalidArgument("open.size", "must not be set for an archive");
  if (archive && expected !== undefined) throw invalidArgument("open.expected", "must not be set for an archive");
  const was = expected === undefined ? undefined : { size: Number(expected.size), modified: Number(expected.modified) };
  return { size: Number(size), mode, expected: was, base };
}

function readOpen(first: IteratorResult<WriteDiskRequest>): WriteDiskOpen {
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case === "open") return message.value;
  throw invalidArgument("open", "must be the first message");
}

/** The bytes, taken no faster than they are asked for. @throws when the caller goes before it has said that they are all. */
async function* contentOf(requests: AsyncIterator<WriteDiskRequest>, count: { bytes: number }): AsyncGenerator<Buffer> {
  for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
    const { message } = next.value;
    if (message?.$case === "end") return;
    if (message?.$case !== "data") throw invalidArgument("message", "must be data or end, after the first");
    count.bytes += message.value.length;
    yield message.value;
  }
  throw invalidArgument("end", "did not come: the content is not whole, so nothing was written");
}
