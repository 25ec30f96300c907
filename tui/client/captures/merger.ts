import {
  epochOf,
  interfaceOf as interfaceAt,
  setInterface,
  setTime,
  timeOf,
  walkPacketBlocks,
} from "../../../lib/capture/packet-blocks.js";
import { firstPlace } from "../../../lib/first-place.js";

/** Whole packet blocks, one after the other in one buffer. */
export interface Blocks {
  readonly bytes: Buffer;
  readonly count: number;
}

/** Blocks of one message that lie one after the other in the order of their times. */
interface Run {
  readonly bytes: Buffer;
  /** Offset of each block, and at last where they end. */
  readonly ats: number[];
  /** Time of each. */
  readonly times: number[];
  /** Which of them is the next to be given out. */
  next: number;
}

/** What of a run is given out. */
interface Ready {
  readonly run: Run;
  readonly until: number;
}

/** How frames of a source become those of the whole. */
export interface SourceMap {
  /** Taken from the source's times. */
  readonly offsetNs: bigint;
  /** Interface of the whole, by the source's number; undefined: a number that it has not told of. */
  readonly interfaceOf: (number: number) => number | undefined;
}

const maxWaitingBytes = 32 * 1024 * 1024;
const never = Number.NEGATIVE_INFINITY;
const twoTo32 = 2n ** 32n;

/**
 * Frames of several sources, each of which tells how far it has come, in the order of their times. What lies in order already, as most does,
 * is given out as it came. Times are numbers since an epoch of the merger's own.
 */
export class Merger {
  #waiting: Run[] = [];
  #waitingBytes = 0;
  readonly #complete = new Map<string, number>();
  /** In units of 2^32 ns. */
  #since: number | undefined;
  /** Frames that came after later ones were given out. */
  lateFrames = 0;
  #givenAt = never;

  /** @param sources all that take part. */
  constructor(sources: readonly string[]) {
    for (const source of sources) this.#complete.set(source, never);
  }

  /** Takes frames of a source; the buffer is the merger's from here on. */
  add(bytes: Buffer, { offsetNs, interfaceOf }: SourceMap): void {
    if (bytes.length === 0) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const offset = Number(offsetNs);
    let since = this.#since;
    let run: Run | undefined;
    let last = never;
    walkPacketBlocks(view, (at, length) => {
      const own = interfaceAt(view, at);
      const mapped = interfaceOf(own);
      if (mapped === undefined) {
        run = undefined;
        return;
      }
      since ??= epochOf(view, at);
      const time = timeOf(view, at, since) - offset;
      if (mapped !== own) setInterface(view, at, mapped);
      if (offset !== 0) setTime(view, at, { since, ns: time });
      if (time < this.#givenAt) this.lateFrames += 1;
      if (run === undefined || time < last) {
        run = { bytes, ats: [at], times: [], next: 0 };
        this.#waiting.push(run);
      }
      run.times.push(time);
      run.ats.push(at + length);
      last = time;
      this.#waitingBytes += length;
    });
    this.#since = since;
  }

  /** A source has told of all before this time, by its own clock. */
  completeUntil(source: string, timeNs: bigint, { offsetNs }: Pick<SourceMap, "offsetNs">): void {
    if (!this.#complete.has(source)) return;
    // Before the first frame nothing waits for it.
    this.#since ??= Number((timeNs - offsetNs) / twoTo32);
    this.#complete.set(source, Number(timeNs - offsetNs - BigInt(this.#since) * twoTo32));
  }

  /** A source is not waited for any more, or for the time that it is away. */
  leave(source: string): void {
    this.#complete.delete(source);
  }

  /** A source that was away is there again. */
  enter(source: string): void {
    if (!this.#complete.has(source)) this.#complete.set(source, never);
  }

  /** Frames wait for what may come before them. */
  get isHolding(): boolean {
    return this.#waiting.length > 0;
  }

  /** What can have nothing before it any more, in order; with `all` what is there. */
  release(all = false): readonly Blocks[] {
    if (this.#waiting.length === 0) return [];
    const isAll = all || this.#complete.size === 0 || this.#waitingBytes > maxWaitingBytes;
    const limit = isAll ? Number.POSITIVE_INFINITY : Math.min(...this.#complete.values());
    const ready = this.#waiting.flatMap((run): readonly Ready[] => {
      const until = firstNotBefore(run, limit);
      return until === run.next ? [] : [{ run, until }];
    });
    if (ready.length === 0) return [];
    const released = this.#inOrder(ready);
    this.#waiting = this.#waiting.filter(({ next, times }) => next < times.length);
    this.#waitingBytes -= released.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return released;
  }

  #inOrder(all: readonly Ready[]): readonly Blocks[] {
    const released: Blocks[] = [];
    const left = [...all];
    while (left.length > 0) {
      const [first, second] = earliest(left);
      const ready = left[first];
      if (ready === undefined) break;
      const { run, until } = ready;
      const other = left[second];
      const limit = other === undefined ? Number.POSITIVE_INFINITY : headOf(other);
      const from = run.next;
      // Of equal times those that came first go first.
      const isFirst = first < second;
      let end = from + 1;
      for (; end < until; end += 1) {
        const time = run.times[end] ?? 0;
        if (time > limit || (time === limit && !isFirst)) break;
      }
      run.next = end;
      released.push({ bytes: run.bytes.subarray(run.ats[from], run.ats[end]), count: end - from });
      this.#givenAt = Math.max(this.#givenAt, run.times[end - 1] ?? never);
      if (end === until) left.splice(first, 1);
    }
    return released;
  }
}

function headOf({ run }: Ready): number {
  return run.times[run.next] ?? never;
}

/** Which of these comes first, and which next; of equal ones, those in front. */
function earliest(all: readonly Ready[]): readonly [number, number] {
  let [first, second] = [-1, -1];
  let [firstAt, secondAt] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const [index, each] of all.entries()) {
    const at = headOf(each);
    if (first < 0 || at < firstAt) {
      [second, secondAt] = [first, firstAt];
      [first, firstAt] = [index, at];
    } else if (second < 0 || at < secondAt) [second, secondAt] = [index, at];
  }
  return [first, second];
}

function firstNotBefore({ times, next }: Run, limit: number): number {
  return firstPlace(next, times.length, (at) => (times[at] ?? 0) >= limit);
}
