import { readFile } from "node:fs/promises";
import { z } from "zod";
import { Event } from "../../proto/gen/zor/v1/event.js";
import { placeOnHost } from "./event-id.js";
import { decodeRecords, type LogRecord } from "./record.js";

/** A block has at least so many bytes, unless it is the last: what a look at one of its events costs. */
const blockBytes = 64 * 1024;

/** A stretch of a segment, with what can be said of it without reading it. */
export interface Block {
  readonly at: number;
  end: number;
  /** Position of its last event. */
  last: number;
  minMs: number;
  maxMs: number;
}

/** How far a source of events was read: in which of its logs, and up to which position there. */
export type Cursors = Map<string, { readonly log: string; readonly position: number }>;

const cursorSchema = z.object({ log: z.string(), position: z.number().int().min(0) });
const headSchema = z.object({
  log: z.string().regex(/^[0-9a-f]{8}$/),
  cursors: z.array(z.tuple([z.string(), cursorSchema])),
});
const cursorMoveSchema = cursorSchema.extend({ source: z.string() });
const indexSchema = z.object({
  bytes: z.number(),
  next: z.number(),
  blocks: z.array(
    z.object({ at: z.number(), end: z.number(), last: z.number(), minMs: z.number(), maxMs: z.number() }),
  ),
  head: headSchema,
  cursors: z.array(z.tuple([z.string(), cursorSchema])),
});

/** What a segment begins with. */
export type SegmentHead = z.output<typeof headSchema>;

/** What is known of a file of the log. */
export class Segment {
  readonly path: string;
  readonly head: SegmentHead;
  /** Whole records have so many bytes. */
  bytes = 0;
  /** No position from here on is in it. */
  next = 0;
  readonly blocks: Block[] = [];

  constructor(path: string, head: SegmentHead) {
    this.path = path;
    this.head = head;
  }

  /** Time of its newest event. */
  get maxMs(): number {
    return this.blocks.reduce((most, { maxMs }) => Math.max(most, maxMs), Number.NEGATIVE_INFINITY);
  }

  /** Takes in that a record stands at its end. @param timeMs of an event; undefined: it is none. */
  add(position: number, bytes: number, timeMs: number | undefined): void {
    const at = this.bytes;
    this.bytes += bytes;
    this.next = Math.max(this.next, timeMs === undefined ? position : position + 1);
    if (timeMs === undefined) return;
    const block = this.blocks.at(-1);
    if (block === undefined || block.end - block.at >= blockBytes) {
      this.blocks.push({ at, end: this.bytes, last: position, minMs: timeMs, maxMs: timeMs });
      return;
    }
    block.end = this.bytes;
    block.last = position;
    block.minMs = Math.min(block.minMs, timeMs);
    block.maxMs = Math.max(block.maxMs, timeMs);
  }

  /** What is kept beside a segment that is complete, so that it need not be read to be known. */
  index(cursors: Cursors): string {
    const { bytes, next, blocks, head } = this;
    return JSON.stringify({ bytes, next, blocks, head, cursors: [...cursors] });
  }
}

/** Where the index of a segment is kept. */
export function indexPath(path: string): string {
  return path.replace(/\.log$/, ".index");
}

/** A segment by its index; undefined: there is none that fits it. @param cursors those at its end are put there. */
export async function loadIndexed(path: string, bytes: number, cursors: Cursors): Promise<Segment | undefined> {
  try {
    const index = indexSchema.parse(JSON.parse(await readFile(indexPath(path), "utf8")));
    if (index.bytes !== bytes) return undefined;
    const segment = new Segment(path, index.head);
    segment.bytes = bytes;
    segment.next = index.next;
    segment.blocks.push(...index.blocks);
    replace(cursors, index.cursors);
    return segment;
  } catch {
    // It can be made again.
    return undefined;
  }
}

/** A segment as its file says, up to the first record that is not whole. Undefined: not even its beginning is. */
export async function scanSegment(path: string, cursors: Cursors): Promise<Segment | undefined> {
  const data = await readFile(path);
  let segment: Segment | undefined;
  for (const record of decodeRecords(data)) {
    if (segment === undefined) {
      const head = record.type === "head" ? readJson(record, headSchema) : undefined;
      if (head === undefined) return undefined;
      segment = new Segment(path, head);
      replace(cursors, head.cursors);
    }
    segment.add(record.position, record.end - record.at, take(record, cursors));
  }
  return segment;
}

/** Moves cursors as a record says. Resolves to the time of an event; undefined: it is none. */
function take(record: LogRecord, cursors: Cursors): number | undefined {
  if (record.type === "event") {
    const event = Event.decode(record.payload);
    noteEvent(event, cursors);
    return event.time?.getTime() ?? 0;
  }
  const move = record.type === "cursor" ? readJson(record, cursorMoveSchema) : undefined;
  if (move !== undefined) cursors.set(move.source, { log: move.log, position: move.position });
  return undefined;
}

function readJson<T>({ payload }: LogRecord, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(payload.toString("utf8")));
  } catch {
    return undefined;
  }
}

function replace(cursors: Cursors, entries: SegmentHead["cursors"]): void {
  cursors.clear();
  for (const [source, cursor] of entries) cursors.set(source, cursor);
}

/** The event of a host moves the cursor of that host. */
export function noteEvent({ name }: Event, cursors: Cursors): void {
  const place = placeOnHost(name);
  if (place === undefined) return;
  const before = cursors.get(place.host);
  if (before?.log === place.log && before.position >= place.position) return;
  cursors.set(place.host, { log: place.log, position: place.position });
}
