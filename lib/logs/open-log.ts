/** A place in a log: which one, and where in it. What it means is known to whoever keeps the log. */
export interface LogPosition {
  /** At most 64 letters, digits, "-" and ".". */
  readonly log: string;
  /** 0 to 2^53 - 1. */
  readonly at: number;
}

/** A piece of a log, not cut at lines. */
export interface LogPart {
  readonly data: Uint8Array;
  /** When it came, milliseconds since 1970; undefined: nobody knows. */
  readonly timeMs?: number | undefined;
  /** Where it ends. Undefined: nobody can go on from there. */
  readonly end?: LogPosition | undefined;
}

/** A log as it was opened. */
export interface OpenLog {
  /** What is kept of it, bounded; after a position to go on from that is known: what came after it. */
  readonly past: readonly LogPart[];
  /** The past is what came after the position to go on from. */
  readonly resumed?: boolean;
  /** What comes from then on; nothing unless it is followed. Fails with RESOURCE_EXHAUSTED for who reads too slowly. */
  readonly live: AsyncIterable<LogPart>;
  close(): Promise<void>;
}

/** What of a log there is for who does not follow it. */
export const nothingMore: AsyncIterable<LogPart> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ value: undefined, done: true }) }),
};
