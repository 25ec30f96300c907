import { unavailable } from "../../../lib/errors.js";
import { understandsEscapes } from "../../../lib/terminal.js";
import type { TreeEntry, TreeItem } from "../../../lib/tree/tree.js";
import { readTar } from "../../../lib/tree/tar-reader.js";
import {
  type DiskEntry,
  DiskLook,
  type DiskPlace,
  DiskServiceService,
  type DiskUsage,
  type WriteDiskOpen,
  type WriteDiskRequest,
} from "../../../proto/gen/zor/v1/disk_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { cutText } from "../../kit/text/text-width.js";
import type { Session } from "../session.js";

const [typeMask, directoryType, fileType, linkType] = [0o170000, 0o040000, 0o100000, 0o120000];

/** Tells on a terminal what is being done: it takes seconds. */
class Stage implements Disposable {
  readonly #session: Session;
  #isShown = false;

  constructor(session: Session) {
    this.#session = session;
  }

  show(stage: string): void {
    const { errors, env } = this.#session.io;
    if (errors.isTTY !== true || !understandsEscapes(env)) return;
    errors.write(`\r\x1b[K${cutText(escapeText(`${stage} …`), (errors.columns ?? 80) - 1)}`);
    this.#isShown = true;
  }

  [Symbol.dispose](): void {
    if (this.#isShown) this.#session.io.errors.write("\r\x1b[K");
    this.#isShown = false;
  }
}

/** A part of what was asked for. */
export type LookPart =
  | { readonly $case: "entry"; readonly value: DiskEntry }
  | { readonly $case: "data"; readonly value: Buffer }
  | { readonly $case: "usage"; readonly value: DiskUsage };

/** Reads from disks, no faster than it is taken. @throws {ZorError} */
export async function* lookInto(session: Session, place: DiskPlace, look: DiskLook): AsyncGenerator<LookPart> {
  const connection = await session.connect();
  using stage = new Stage(session);
  const { signal } = session.io;
  for await (const { message } of connection.stream(DiskServiceService.readDisk, { place, look }, { signal })) {
    if (message?.$case === "stage") stage.show(message.value);
    if (message === undefined || message.$case === "stage") continue;
    stage[Symbol.dispose]();
    yield message;
  }
}

/** What is at a place, as a tree whose top has no name yet. */
export async function* readTree(session: Session, place: DiskPlace): AsyncGenerator<TreeItem> {
  const parts = lookInto(session, place, DiskLook.DISK_LOOK_TREE);
  const first = await parts.next();
  const part = first.done === true ? undefined : first.value;
  if (part?.$case !== "entry") throw unavailable("DISK_LOOK_LOST", place.name, "the connection ended before it began");
  const { value } = part;
  switch (value.mode & typeMask) {
    case directoryType:
      yield* readTar(dataOf(parts), { hasTop: false });
      return;
    case fileType:
      yield { type: "entry", entry: entryOf(value, "file") };
      for await (const data of dataOf(parts)) yield { type: "data", data };
      return;
    case linkType:
      yield { type: "entry", entry: { ...entryOf(value, "symlink"), target: value.target.toString("utf8") } };
      return;
    default:
      yield { type: "skipped", what: `${place.path} is neither file, directory nor link` };
  }
}

async function* dataOf(parts: AsyncIterable<LookPart>): AsyncGenerator<Buffer> {
  for await (const part of parts) if (part.$case === "data") yield part.value;
}

function entryOf({ mode, uid, gid, size, modified }: DiskEntry, type: TreeEntry["type"]): TreeEntry {
  const bytes = type === "file" ? Number(size) : 0;
  return { path: [], type, mode: mode & 0o7777, uid, gid, size: bytes, mtime: Number(modified), target: "" };
}

/** Writes to disks. @throws {ZorError} */
export async function writeInto(
  session: Session,
  open: Partial<WriteDiskOpen> & Pick<WriteDiskOpen, "place">,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const connection = await session.connect();
  using stage = new Stage(session);
  const failure = new AbortController();
  const value = { archive: false, size: 0n, mode: 0o644, base: "", expected: undefined, ...open };
  async function* requests(): AsyncIterable<WriteDiskRequest> {
    yield { message: { $case: "open", value } };
    try {
      for await (const data of content) yield { message: { $case: "data", value: data } };
    } catch (error) {
      failure.abort(error);
      return;
    }
    yield { message: { $case: "end", value: {} } };
  }
  const signal = AbortSignal.any([session.io.signal, failure.signal]);
  try {
    for await (const { message } of connection.bidi(DiskServiceService.writeDisk, requests(), { signal })) {
      if (message?.$case === "stage") stage.show(message.value);
      if (message?.$case === "done") return;
    }
  } catch (error) {
    throw failure.signal.aborted ? failure.signal.reason : error;
  }
  throw unavailable("DISK_WRITE_LOST", open.place?.name ?? "", "the connection ended before everything was written");
}
