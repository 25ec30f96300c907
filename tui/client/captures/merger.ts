import { packetBlocks, restamp } from "../../../lib/capture/packet-blocks.js";

/** Blocks of frames of several sources in the order of their times; a block lies in a buffer of many. */
interface Waiting {
  readonly timeNs: bigint;
  readonly block: Buffer;
}

/** How frames of a source become those of the whole. */
export interface SourceMap {
  /** Taken from the source's times. */
  readonly offsetNs: bigint;
  /** Interface of the whole, by the source's number; undefined: a number that it has not told of. */
  readonly interfaceOf: (number: number) => number | undefined;
}

const maxWaitingBytes = 32 * 1024 * 1024;
const never = -(2n ** 62n);

/** Frames of several sources, each of which tells how far it has come, in the order of their times. */
export class Merger {
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  readonly #complete = new Map<string, bigint>();
  /** Frames that came after later ones were given out. */
  lateFrames = 0;
  #givenNs = never;

  /** @param sources all that take part. */
  constructor(sources: readonly string[]) {
    for (const source of sources) this.#complete.set(source, never);
  }

  /** Takes frames of a source; the buffer is the merger's from here on. */
  add(blocks: Buffer, { offsetNs, interfaceOf }: SourceMap): void {
    for (const { at, length, interfaceId, timeNs } of packetBlocks(blocks)) {
      const mapped = interfaceOf(interfaceId);
      if (mapped === undefined) continue;
      const corrected = timeNs - offsetNs;
      restamp(blocks, at, { interfaceId: mapped, timeNs: corrected });
      if (corrected < this.#givenNs) this.lateFrames += 1;
      this.#waiting.push({ timeNs: corrected, block: blocks.subarray(at, at + length) });
    }
    this.#waitingBytes += blocks.length;
  }

  /** A source has told of all before this time, by its own clock. */
  completeUntil(source: string, timeNs: bigint, { offsetNs }: Pick<SourceMap, "offsetNs">): void {
    if (this.#complete.has(source)) this.#complete.set(source, timeNs - offsetNs);
  }

  /** A source is not waited for any more, or for the time that it is away. */
  leave(source: string): void {
    this.#complete.delete(source);
  }

  /** A source that was away is there again. */
  enter(source: string): void {
    if (!this.#complete.has(source)) this.#complete.set(source, never);
  }

  /** What can have nothing before it any more, in order; with `all` what is there. */
  release(all = false): readonly Buffer[] {
    if (this.#waiting.length === 0) return [];
    const isAll = all || this.#complete.size === 0 || this.#waitingBytes > maxWaitingBytes;
    const limit = isAll
      ? undefined
      : [...this.#complete.values()].reduce((least, each) => (each < least ? each : least));
    const ready = limit === undefined ? this.#waiting : this.#waiting.filter(({ timeNs }) => timeNs < limit);
    if (ready.length === 0) return [];
    this.#waiting = limit === undefined ? [] : this.#waiting.filter(({ timeNs }) => timeNs >= limit);
    ready.sort((left, right) => (left.timeNs < right.timeNs ? -1 : left.timeNs > right.timeNs ? 1 : 0));
    const last = ready.at(-1)?.timeNs ?? never;
    if (last > this.#givenNs) this.#givenNs = last;
    const blocks = ready.map(({ block }) => block);
    this.#waitingBytes -= blocks.reduce((sum, { length }) => sum + length, 0);
    return blocks;
  }
}
