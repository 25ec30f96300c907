import { type FileHandle, open } from "node:fs/promises";
import { Event } from "../../proto/gen/zor/v1/event.js";
import { decodeRecords } from "./record.js";
import type { Block, Segment } from "./segment.js";

/** An event with its position in the log. */
export interface StoredEvent {
  readonly position: number;
  readonly event: Event;
}

/** What is read of a log. */
export interface ReadRange {
  /** Only positions after this one. */
  readonly after?: number | undefined;
  /** Only positions before this one. */
  readonly before?: number | undefined;
  readonly newestFirst?: boolean;
  /** Blocks without an event in this time are left out; of others all events are given. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

interface Place {
  readonly segment: Segment;
  readonly block: Block;
}

/** Reads a log block by block, as it is when the reading begins. */
export class LogReader {
  readonly #segments: readonly Segment[];
  readonly #waiting: () => readonly StoredEvent[];

  /** @param waiting events that are on no disk yet. */
  constructor(segments: readonly Segment[], waiting: () => readonly StoredEvent[]) {
    this.#segments = segments;
    this.#waiting = waiting;
  }

  async *read(range: ReadRange): AsyncGenerator<readonly StoredEvent[]> {
    const { after = -1, before = Number.POSITIVE_INFINITY, newestFirst = false } = range;
    const isWanted = ({ position }: StoredEvent): boolean => position > after && position < before;
    // Both in one step: what waits now is in a block later.
    const places = this.#find(range);
    const waiting = this.#waiting().filter(isWanted);
    if (newestFirst && waiting.length > 0) yield waiting.toReversed();
    let opened: { readonly path: string; readonly file: FileHandle } | undefined;
    try {
      for (const { segment, block, end } of newestFirst ? places.reverse() : places) {
        if (opened?.path !== segment.path) {
          await opened?.file.close();
          opened = undefined;
          const file = await open(segment.path, "r").catch(() => undefined);
          // Dropped meanwhile, as the oldest are.
          if (file === undefined) continue;
          opened = { path: segment.path, file };
        }
        const events = (await readBlock(opened.file, block.at, end)).filter(isWanted);
        if (events.length > 0) yield newestFirst ? events.reverse() : events;
      }
    } finally {
      await opened?.file.close();
    }
    if (!newestFirst && waiting.length > 0) yield waiting;
  }

  #find({ after = -1, before = Number.POSITIVE_INFINITY, sinceMs, untilMs }: ReadRange): (Place & { end: number })[] {
    const found: (Place & { end: number })[] = [];
    let first = 0;
    for (const segment of this.#segments) {
      for (const block of segment.blocks) {
        const isBefore = first >= before;
        first = block.last + 1;
        if (isBefore || block.last <= after) continue;
        if (sinceMs !== undefined && block.maxMs < sinceMs) continue;
        if (untilMs !== undefined && block.minMs >= untilMs) continue;
        found.push({ segment, block, end: block.end });
      }
    }
    return found;
  }
}

async function readBlock(file: FileHandle, at: number, end: number): Promise<StoredEvent[]> {
  const data = Buffer.alloc(end - at);
  await file.read(data, 0, data.length, at);
  const events: StoredEvent[] = [];
  for (const { type, position, payload } of decodeRecords(data)) {
    if (type === "event") events.push({ position, event: Event.decode(payload) });
  }
  return events;
}
