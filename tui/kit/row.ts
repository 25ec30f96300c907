import type { A2b } from "../../proto/gen/zor/v1/a2b.js";
import type { Host } from "../../proto/gen/zor/v1/host.js";
import type { Instance } from "../../proto/gen/zor/v1/instance.js";
import type { Lan, LanPort } from "../../proto/gen/zor/v1/lan.js";
import type { Link } from "../../proto/gen/zor/v1/link.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";

/** What each watched kind holds. */
export interface ResourceOf {
  readonly hosts: Host;
  readonly instances: Instance;
  readonly lans: Lan;
  readonly links: Link;
  readonly operations: Operation;
  readonly events: Event;
  readonly a2bs: A2b;
}

/** A watched kind, by the name its table has. */
export type Kind = keyof ResourceOf;

/** What each table shows; ports are read from their lan. */
export interface ShownOf extends ResourceOf {
  readonly ports: LanPort;
}

/** A kind that has a table. */
export type TableKind = keyof ShownOf;

/** One row of a table. */
export interface RowOf<K extends TableKind> {
  readonly kind: K;
  /** Resource name; unique in its table. */
  readonly name: string;
  /** Last segment of the name. */
  readonly id: string;
  /** Host segment of the name; empty for what belongs to the hub. */
  readonly host: string;
  readonly resource: ShownOf[K];
  /** Local time at which this version of the resource was received. */
  readonly receivedAtMs: number;
}

/** One row of any table. */
export type Row = { [K in TableKind]: RowOf<K> }[TableKind];

/** One row of a watched kind. */
export type WatchedRow = { [K in Kind]: RowOf<K> }[Kind];

/** Every watched kind, in the order in which the tables are offered. */
export const kinds: readonly Kind[] = ["hosts", "instances", "lans", "links", "operations", "events", "a2bs"];

/** The table a watched kind goes to; undefined for kinds this program does not know. */
export function kindOf(kind: string): Kind | undefined {
  switch (kind) {
    case "host":
      return "hosts";
    case "instance":
      return "instances";
    case "lan":
      return "lans";
    case "link":
      return "links";
    case "operation":
      return "operations";
    case "event":
      return "events";
    case "a2b":
      return "a2bs";
    default:
      return undefined;
  }
}

/** Host id of a resource name; empty when it belongs to the hub. */
export function hostOf(name: string): string {
  return name.startsWith("hosts/") ? (name.split("/", 2)[1] ?? "") : "";
}

/** The kind a resource name belongs to; undefined when it is none of them. */
export function kindOfName(name: string): Kind | undefined {
  const parts = name.split("/");
  if (parts.length === 2 && parts[0] === "hosts") return "hosts";
  const collection = parts[0] === "hosts" ? parts[2] : parts[0];
  return kinds.find((kind) => kind === collection && kind !== "hosts");
}
