/** Orders to the thread that splices. `pair` is the number of the pair, above 0 and below 2^32. */
export type SpliceOrder =
  | {
      readonly type: "splice";
      readonly pair: number;
      /** The hosts at its ends, who share the thread fairly with all others. */
      readonly hosts: readonly [string, string];
      /** Two connected sockets. They stay whose they are: the thread never closes them. */
      readonly fds: readonly [number, number];
      /** The byte that both are sent first. */
      readonly firstByte: number;
      /** Two numbers: bytes passed on that came from the first, and from the second. */
      readonly carried: Float64Array<SharedArrayBuffer>;
      /** Without a byte either way for so long the pair ends. */
      readonly idleMs: number;
      /** How long the second half may go on when the first has ended. */
      readonly lingerMs: number;
    }
  | { readonly type: "cut"; readonly pair: number }
  | { readonly type: "stop" };

/** A pair is over: the thread will not touch its sockets any more. */
export interface SpliceEvent {
  readonly pair: number;
  readonly cause: SpliceEnd;
  /** For the log. */
  readonly detail: string;
}

/** Why a pair is over: both halves ended; cut by order; too long without a byte; a socket broke; the hub could not go on. */
export type SpliceEnd = "ended" | "cut" | "silent" | "broken" | "failed";

/** What the thread is started with. */
export interface SpliceWorkerOptions {
  /** Counter that is raised after orders were posted. */
  readonly wakeFd: number;
}
