import type { BondMember, LanRstp, PortRstp } from "../../proto/gen/zor/v1/lan.js";
import type { PortSettings } from "../../proto/gen/zor/v1/port.js";
import { tagKeys } from "./bridge-operations.js";
import { nameOf } from "./lans/bridge-rows.js";
import type { PortDrops } from "./lans/port-drops.js";
import { portTopology } from "./lans/rstp-topology.js";
import type { Datapath } from "./ovs/detect-datapath.js";
import type { MirroredRow } from "./ovs/ovsdb-mirror.js";
import { readMap } from "./ovs/ovsdb-values.js";

/** An endpoint plugged into a lan, as the switch tells it. */
export interface ObservedPort {
  /** Resource name of the endpoint. */
  readonly endpoint: string;
  readonly port: string;
  /** From the endpoint into the lan. */
  readonly rxFrames: bigint;
  readonly rxBytes: bigint;
  /** From the lan to the endpoint. */
  readonly txFrames: bigint;
  readonly txBytes: bigint;
  readonly droppedFrames: bigint;
  /** Why the port does not work; empty when it does. */
  readonly error: string;
  /** What the lan does with its frames; undefined: it forwards them. */
  readonly settings: PortSettings | undefined;
  /** What the spanning tree has it do. */
  readonly rstp?: PortRstp | undefined;
  /** How it stands in its bond; undefined: it is in none. */
  readonly bond?: BondMember | undefined;
  /** What its settings had dropped; undefined: nothing. */
  readonly drops?: PortDrops | undefined;
}

/** A lan as the switch tells it. */
export interface ObservedLan {
  readonly id: string;
  readonly uid: string;
  readonly datapath: Datapath;
  readonly ports: readonly ObservedPort[];
  /** Why the lan as a whole forwards nothing; empty when it does. */
  readonly fault: string;
  /** Why the lan or a port of it does not work, for people; empty when all do. */
  readonly reason: string;
  /** How it stands in the spanning tree. */
  readonly rstp?: LanRstp | undefined;
}

/** What the database says of a port and its interface; pure. */
export function observePort(
  port: MirroredRow,
  row: MirroredRow,
  known: Pick<ObservedPort, "error" | "settings" | "drops" | "bond">,
): ObservedPort {
  const statistics = readMap(row.columns["statistics"]);
  const counter = (name: string) => BigInt(statistics.get(name) ?? 0);
  return {
    endpoint: readMap(row.columns["external_ids"]).get(tagKeys.endpoint) ?? "",
    port: nameOf(row),
    rxFrames: counter("rx_packets"),
    rxBytes: counter("rx_bytes"),
    txFrames: counter("tx_packets"),
    txBytes: counter("tx_bytes"),
    droppedFrames: counter("rx_dropped") + counter("tx_dropped"),
    rstp: portTopology(port),
    ...known,
  };
}
