import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Event } from "../../proto/gen/zor/v1/event.js";
import { writeFileAtomic } from "../files.js";
import { messageOf } from "../errors.js";
import { formatEventId } from "./event-id.js";
import { LogReader, type ReadRange, type StoredEvent } from "./log-reader.js";
import { encodeRecord, type LogRecord } from "./record.js";
import { type Cursors, indexPath, loadIndexed, noteEvent, Segment, scanSegment } from "./segment.js";
import { SegmentWriter, type WriteBytes } from "./segment-writer.js";

/** Bounds of a log. */
export interface EventBounds {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** A file of it has about so many bytes: what is dropped at once. */
  readonly segmentBytes: number;
}

/** What a log is opened with. */
export interface EventLogOptions {
  /** Its own; made when it is not there. */
  readonly directory: string;
  readonly bounds?: Partial<EventBounds>;
  /** Told, for people, when events cannot be written down, when they can be again, and what was damaged. */
  readonly onTrouble?: (message: string) => void;
  readonly now?: () => number;
  readonly write?: WriteBytes;
}

const dayMs = 24 * 60 * 60 * 1000;
const defaults: EventBounds = { maxBytes: 100 * 1000 * 1000, maxAgeMs: 7 * dayMs, segmentBytes: 4 * 1024 * 1024 };
/** Events that wait in memory while the disk is full; those after them are lost. */
const mostWaiting = 2000;
/** Positions that are left out at each start: some may have been told to others and be on no disk. */
const leftOut = 10_000;
const retryMs = 1000;
const upkeepMs = 10 * 60 * 1000;
/** A longer text of people or guests is cut. */
const maxMessageLength = 8 * 1024;
const fileForm = /^events-\d{15}\.log$/;

interface Waiting {
  readonly record: LogRecord;
  readonly timeMs: number | undefined;
}

/**
 * Events on disk: files that are only appended to, the oldest of which are dropped. Each event has a position, which is never used
 * twice. It also keeps how far the logs of others were read, together with what was read from them, so that after a crash neither is
 * without the other.
 */
export class EventLog {
  /** Identity of the log; a directory that was lost gets another. */
  readonly id: string;
  readonly #options: EventLogOptions;
  readonly #bounds: EventBounds;
  readonly #segments: Segment[];
  readonly #cursors: Cursors;
  readonly #waiting: Waiting[] = [];
  readonly #listeners = new Set<() => void>();
  #writer: SegmentWriter | undefined;
  #next: number;
  #lost = 0;
  #retry: NodeJS.Timeout | undefined;
  #background: Promise<unknown> = Promise.resolve();
  readonly #upkeep: NodeJS.Timeout;

  private constructor(
    options: EventLogOptions,
    found: { readonly id: string; readonly segments: Segment[]; readonly cursors: Cursors; readonly next: number },
  ) {
    this.#options = options;
    this.#bounds = { ...defaults, ...options.bounds };
    this.id = found.id;
    this.#segments = found.segments;
    this.#cursors = found.cursors;
    this.#next = found.next;
    this.#upkeep = setInterval(() => this.#keepUp(), upkeepMs).unref();
  }

  /** Opens it. Whatever is damaged is cut off and told; it never fails, but may keep nothing. */
  static async open(options: EventLogOptions): Promise<EventLog> {
    const cursors: Cursors = new Map();
    const segments: Segment[] = [];
    const tell = (message: string): void => options.onTrouble?.(message);
    try {
      mkdirSync(options.directory, { recursive: true, mode: 0o700 });
      const files = (await readdir(options.directory)).filter((file) => fileForm.test(file)).sort();
      for (const file of files) {
        const path = join(options.directory, file);
        const { size } = await stat(path);
        const isLast = file === files.at(-1);
        const indexed = isLast ? undefined : await loadIndexed(path, size, cursors);
        const segment = indexed ?? (await scanSegment(path, cursors));
        if (segment === undefined) {
          // The very beginning of a file that a crash left, or one that is none of ours.
          if (size > 0) tell(`${size} bytes of the kept events cannot be read and are dropped`);
          await unlink(path);
          continue;
        }
        if (segment.bytes < size)
          tell(`${size - segment.bytes} bytes of the kept events are not whole and are cut off`);
        segments.push(segment);
      }
    } catch (error) {
      tell(`the events that were kept cannot be read: ${messageOf(error)}`);
    }
    const id = segments.at(-1)?.head.log ?? randomBytes(4).toString("hex");
    const next = segments.length === 0 ? 1 : Math.max(...segments.map((segment) => segment.next)) + leftOut;
    const log = new EventLog(options, { id, segments, cursors, next });
    await log.#resume();
    log.#keepUp();
    return log;
  }

  /** The id that the next event of this log's owner gets, if nothing else is appended before. */
  get nextId(): string {
    return formatEventId({ log: this.id, position: this.#next });
  }

  /** Position of the newest event. */
  get last(): number {
    return this.#next - 1;
  }

  /** Position of the oldest event that is kept; the next one when none is. */
  get oldest(): number {
    const [segment] = this.#segments;
    return segment === undefined ? (this.#waiting[0]?.record.position ?? this.#next) : firstOf(segment);
  }

  /** How far a host's own log was read. */
  cursorOf(host: string): { readonly log: string; readonly position: number } | undefined {
    return this.#cursors.get(host);
  }

  /** Takes events in. They outlive the program when this returns, unless the disk is full, which is told. */
  append(events: readonly Event[]): void {
    for (const event of events) {
      const kept = event.message.length > maxMessageLength ? cut(event) : event;
      const payload = Buffer.from(Event.encode(kept).finish());
      noteEvent(kept, this.#cursors);
      this.#enqueue({ type: "event", position: this.#next, payload }, event.time?.getTime() ?? 0);
      this.#next += 1;
    }
    // A disk that is full is tried again now and then, not with every event.
    if (this.#retry === undefined) this.#flush();
    for (const listener of this.#listeners) listener();
  }

  /** A host's own log has nothing more up to a position. */
  moveCursor(host: string, log: string, position: number): void {
    this.#cursors.set(host, { log, position });
    const payload = Buffer.from(JSON.stringify({ source: host, log, position }));
    this.#enqueue({ type: "cursor", position: this.#next, payload }, undefined);
    if (this.#retry === undefined) this.#flush();
  }

  /** Calls back whenever events have come. Returns the way to stop. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads events block by block, in the order of positions or the other way. What comes meanwhile may be read as well. */
  read(range: ReadRange): AsyncGenerator<readonly StoredEvent[]> {
    const waiting = (): readonly StoredEvent[] =>
      this.#waiting.flatMap(({ record: { type, position, payload } }) =>
        type === "event" ? [{ position, event: Event.decode(payload) }] : [],
      );
    return new LogReader(this.#segments, waiting).read(range);
  }

  /** The newest events, oldest first. */
  async newest(count: number): Promise<Event[]> {
    const found: Event[] = [];
    for await (const block of this.read({ newestFirst: true })) {
      for (const { event } of block) if (found.length < count) found.push(event);
      if (found.length >= count) break;
    }
    return found.reverse();
  }

  async close(): Promise<void> {
    clearInterval(this.#upkeep);
    clearTimeout(this.#retry);
    this.#flush();
    clearTimeout(this.#retry);
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.close();
    await this.#background;
  }

  #enqueue(record: LogRecord, timeMs: number | undefined): void {
    if (this.#waiting.length < mostWaiting) this.#waiting.push({ record, timeMs });
    else this.#lost += 1;
  }

  /** Writes down what waits. */
  #flush(): void {
    const before = this.#waiting.length;
    try {
      while (this.#waiting.length > 0) this.#writeSome();
      if (this.#retry === undefined) return;
      clearTimeout(this.#retry);
      this.#retry = undefined;
      const lost = this.#lost;
      this.#lost = 0;
      this.#options.onTrouble?.(
        `events are written down again; ${lost === 0 ? "none" : String(lost)} of them were lost`,
      );
    } catch (error) {
      if (this.#retry === undefined) {
        this.#options.onTrouble?.(
          `events cannot be written down (${messageOf(error)}); ${before} wait in memory, of which ${mostWaiting} have room: free some space in the state directory`,
        );
      }
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#flush(), retryMs).unref();
    }
  }

  #writeSome(): void {
    let segment = this.#segments.at(-1);
    if (segment === undefined || this.#writer === undefined || segment.bytes >= this.#bounds.segmentBytes) {
      segment = this.#begin();
    }
    const some = this.#waiting.slice(0, 256);
    const encoded = some.map(({ record }) => encodeRecord(record));
    this.#writer?.append(Buffer.concat(encoded));
    this.#waiting.splice(0, some.length);
    for (const [index, { record, timeMs }] of some.entries()) {
      segment.add(record.position, encoded[index]?.length ?? 0, timeMs);
    }
  }

  /** Goes on with the last file. */
  async #resume(): Promise<void> {
    const segment = this.#segments.at(-1);
    if (segment === undefined) return;
    try {
      this.#writer = new SegmentWriter(segment.path, segment.bytes, this.#options.write);
      // No start gives positions that one before may have given.
      const payload = Buffer.from(JSON.stringify({ source: "", log: this.id, position: this.#next }));
      const mark = encodeRecord({ type: "cursor", position: this.#next, payload });
      this.#writer.append(mark);
      segment.add(this.#next, mark.length, undefined);
      await this.#writer.sync();
    } catch {
      // The next one is begun with the next event; what is wrong is told then.
    }
  }

  /** Begins a new file. */
  #begin(): Segment {
    const position = this.#waiting[0]?.record.position ?? this.#next;
    const name = `events-${String(position).padStart(15, "0")}.log`;
    const segment = new Segment(join(this.#options.directory, name), { log: this.id, cursors: [...this.#cursors] });
    const writer = new SegmentWriter(segment.path, 0, this.#options.write);
    const head = encodeRecord({ type: "head", position, payload: Buffer.from(JSON.stringify(segment.head)) });
    try {
      writer.append(head);
    } catch (error) {
      this.#inBackground(() => writer.close());
      throw error;
    }
    segment.add(position, head.length, undefined);
    this.#seal();
    this.#writer = writer;
    this.#segments.push(segment);
    this.#drop();
    return segment;
  }

  /** The last file is complete. */
  #seal(): void {
    const [segment, writer] = [this.#segments.at(-1), this.#writer];
    this.#writer = undefined;
    if (segment === undefined || writer === undefined) return;
    const index = segment.index(this.#cursors);
    this.#inBackground(async () => {
      await writer.close();
      await writeFileAtomic(indexPath(segment.path), index);
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  /** Drops what is too old or too much. A day's events are in a file of their own, so that they become old together. */
  #keepUp(): void {
    const segment = this.#segments.at(-1);
    const first = segment?.blocks[0]?.minMs;
    if (first !== undefined && this.#now() - first > dayMs) {
      try {
        if (this.#waiting.length === 0) this.#begin();
      } catch {
        // A full disk: told when an event cannot be written.
      }
    }
    this.#drop();
  }

  #drop(): void {
    const { maxBytes, maxAgeMs } = this.#bounds;
    let bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
    while (this.#segments.length > 1) {
      const [oldest] = this.#segments;
      if (oldest === undefined || (bytes <= maxBytes && this.#now() - oldest.maxMs <= maxAgeMs)) return;
      this.#segments.shift();
      bytes -= oldest.bytes;
      this.#inBackground(async () => {
        await unlink(oldest.path);
        await unlink(indexPath(oldest.path));
      });
    }
  }

  /** Work that nothing waits for but the end; what fails of it is done again at the next start. */
  #inBackground(work: () => Promise<void>): void {
    this.#background = this.#background.then(work).catch(() => undefined);
  }
}

function firstOf({ path }: Segment): number {
  return Number(/(\d{15})\.log$/.exec(path)?.[1] ?? 1);
}

function cut(event: Event): Event {
  return { ...event, message: `${event.message.slice(0, maxMessageLength)}...` };
}
