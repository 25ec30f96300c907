import type { Row } from "../row.js";

/** Something asked for and not yet seen to happen. */
export interface Pending {
  /** What the action is called: "start". */
  readonly verb: string;
  readonly sinceMs: number;
  /** The resource when it was asked. */
  readonly before: Row;
  /** So long it is waited for. Default: {@link pendingTimeoutMs}. */
  readonly patienceMs?: number | undefined;
  /** It was not begun yet, and is waited for however long that takes. */
  readonly isQueued?: boolean;
}

/** Longest time to wait for the event before the row says that none came. */
export const pendingTimeoutMs = 30_000;
