import type { Action } from "./action.js";
import type { DescribedField, DescribeLine } from "./describe/line.js";
import type { CellContext } from "./fleet/fleet-view.js";
import type { Follower } from "./fleet/follower.js";
import type { FormHints } from "./form-hints.js";
import type { KindCommands } from "./kind-commands.js";
import type { MapRole } from "./map/role.js";
import type { Row } from "./row.js";
import type { StateStyle } from "./states.js";
import type { Column } from "./table/column.js";
import type { TableScope } from "./table/scope.js";
import type { Trouble } from "./trouble/trouble.js";

/**
 * All that the terminal interface knows of a kind of resource; everything else is driven by it. `T` is the kind's message. Methods,
 * not function properties, so that one kind can stand in a list of all.
 */
export interface TuiKind<T extends object = object> {
  /** Singular, as in the API: "lan". */
  readonly kind: string;
  /** Title of its table, for parts; resources have the collection segment of their names. */
  readonly plural?: string;
  /** More words of the command line that mean it, besides those of the API. */
  readonly words?: readonly string[];
  readonly columns: readonly Column<Row<T>>[];
  /** Columns only for where there is room without end: `zor get -o wide`. */
  readonly wideColumns?: readonly Column<Row<T>>[];
  /** Id of the column sorted by at first. */
  readonly sortBy: string;
  /** Said where there are no rows, with what to do about it. */
  readonly empty: string;
  /** Set when the kind is counted in the header. */
  readonly counted?: Counted;
  /** Set for the kind that others live on: whether what is known of those is current. */
  readonly presence?: Presence<T>;
  /** Set for the kind that tells what happened to others. */
  readonly log?: Log<T>;
  /** What can be asked of it; kinds without actions cannot be marked either. */
  readonly actions: readonly Action<T>[];
  /** It has a console that the terminal can be given to. */
  readonly hasConsole?: boolean;
  /** Whether it can be logged in to by ssh from a terminal. */
  readonly hasLogin?: boolean;
  /** Whether a resource has a screen that a terminal can show. Default: none has. */
  hasScreen?(resource: T): boolean;
  /** Kinds whose rows are parts of this kind's resources, and that have a table of their own. */
  readonly parts?: readonly Parts<T>[];
  /** Where its message says the number of its state, as ["status", "state"]: rows are counted by it. Default: it has none, all count as 0. */
  readonly stateAt?: readonly string[];
  /** How such a state is shown. Default: kinds without states. */
  styleOf?(state: number): StateStyle;
  /** Everything known of a resource, for people. */
  describe(row: Row<T>, context: CellContext): readonly DescribeLine[];
  /** Ids of the hosts a resource belongs to. Default: the one in its name. */
  hostsOf?(row: Row<T>): readonly string[];
  /** What happens to a resource when another one is deleted, in one line; undefined: nothing. */
  suffersFrom?(row: Row<T>, deleted: Row): string | undefined;
  /** Names of the only resources that {@link suffersFrom} may say something of; default: it is asked about each that is deleted. */
  livesOn?(row: Row<T>): readonly string[];
  /** Names of what it ends with, or leads nowhere without while that is down. Default: nothing, and of cables what their ends are plugged into. */
  needs?(row: Row<T>): readonly string[];
  /** What is lost with {@link needs}, in one line. */
  loss?(row: Row<T>): string;
  /** Identity of whose it is, who made it or is at it: "zor://user/ana". Default: nobody tells. */
  ofWhom?(resource: T): string;
  /** What is wrong with a resource now, and why; undefined: nothing. Default: what its state and its reason say. */
  troubleOf?(row: Row<T>, context: CellContext): Trouble | undefined;
  /** What {@link troubleOf} says depends on the time: all of its resources are looked at each time. Default: only what has changed is. */
  readonly troubleAges?: boolean;
  /** What is inside a resource without being one itself: interfaces, disks. Default: nothing. */
  insideOf?(row: Row<T>): readonly DescribedField[];
  /** The table that enter opens. Default: none, enter opens the description. */
  open?(row: Row<T>): Opening | undefined;
  /** Name of the resource that is described instead; for parts. */
  behind?(row: Row<T>): string;
  /** Loads what the kind adds to the commands of the command line that go with all kinds. Default: nothing. */
  commands?(): Promise<KindCommands<T>>;
  /** What is peculiar to the form in which it is made and changed. Default: all of it is read off the API. */
  readonly form?: FormHints;
  /** What it is on the map of the fleet. Default: it is not on it. */
  readonly map?: MapRole<T>;
  /** Makes what follows the kind over time. */
  follow?(): Follower<T>;
}

/** Parts of a kind's resources, with a table of their own. */
export interface Parts<T extends object = object> {
  readonly kind: TuiKind;
  rowsOf(row: Row<T>): readonly Row[];
}

/** A table that a row leads to. */
export interface Opening {
  /** Singular of the kind of its rows. */
  readonly kind: string;
  readonly scope: TableScope;
}

/** How a kind is counted in the header. */
export interface Counted {
  /** The plural where there is little room. */
  readonly short: string;
  /** 1 stays in any case, 2 goes when there is little room, 3 goes first and is only there when there are any. */
  readonly rank: 1 | 2 | 3;
}

/** What the kind that others live on tells of them. */
export interface Presence<T extends object = object> {
  /** Whether what is known of what lives on it is current. */
  isReachable(resource: T): boolean;
  lastSeenTime(resource: T): Date | undefined;
}

/** What the rows of a log say. */
export interface LogEntry {
  /** Name of the resource it is about; empty when it is about none. */
  readonly about: string;
  /** "instance.reset" */
  readonly type: string;
  /** Something went wrong. */
  readonly failed: boolean;
  /** When it happened, as far as it is known. */
  readonly time?: Date | undefined;
}

/** A kind that tells what happened to others. Its rows are no part of snapshots and stay true when their host is lost. */
export interface Log<T extends object = object> {
  /** Newest entries kept. */
  readonly limit: number;
  read(resource: T): LogEntry;
  /** An entry that this program makes itself. */
  write(entry: LogEntry & { readonly name: string; readonly time: Date; readonly message: string }): T;
}
