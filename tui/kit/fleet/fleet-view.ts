import type { Row } from "../row.js";
import type { Usage } from "../usage/usage.js";
import type { Follower } from "./follower.js";
import type { Pending } from "./pending.js";

/** What cells, descriptions and actions may know of the fleet. */
export interface FleetView {
  /** The resource of that kind and name. */
  find(kind: string, name: string): Row | undefined;
  /** The resource of that name, of whatever kind. */
  findByName(name: string): Row | undefined;
  /** Grows whenever something of a kind changes. */
  versionOf(kind: string): number;
  /** Everything of a kind. */
  rowsOf(kind: string): Iterable<Row>;
  /** How many there are on a host of each kind that is counted, none left out but those of which there are none. */
  contentsOf(host: string): readonly { readonly kind: string; readonly count: number }[];
  /** Singular of the kind a resource name belongs to; undefined when it is none that this program knows. */
  kindOfName(name: string): string | undefined;
  /** Whether what is known of a host is current; the hub itself ("") always is. */
  isReachable(host: string): boolean;
  /** Whether the hub of something, of several that are shown together, is lost: what is known of it may be old. Of one hub alone nothing is. */
  isAway(name: string): boolean;
  /** When the hub last heard a host; undefined when it is not known. */
  lastSeenTime(host: string): Date | undefined;
  /** What was asked of a resource and has not been seen to happen. */
  pendingOf(name: string): Pending | undefined;
  /** What follows a kind over time. */
  followerOf(kind: string): Follower | undefined;
  /** What is used now, of what somebody looks at. */
  readonly usage: Usage;
  /** The hub's clock: ages of its timestamps are measured with this. */
  hubTimeMs(nowMs: number): number;
}

/** What a cell is computed from besides its row. */
export interface CellContext {
  readonly fleet: FleetView;
  /** Local time. */
  readonly nowMs: number;
}
