import type { Row } from "../row.js";

/** Follows every resource of a kind over time: what the resource as it is now does not tell. */
export interface Follower<T extends object = object> {
  /** A new version was received. */
  note(row: Row<T>, nowMs: number): void;
  /** The resource is gone. */
  forget(name: string): void;
  /** Whether what was told last still holds: not while the hub is away. */
  hold(holds: boolean, nowMs: number): void;
}
