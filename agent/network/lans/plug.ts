import { notFound, unavailable } from "../../../lib/errors.js";
import type { Device } from "../../../lib/net/device.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { tagKeys } from "../bridge-operations.js";
import type { Datapath } from "../ovs/detect-datapath.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import { tagsOf } from "./bridge-rows.js";
import type { PlugBond } from "./bond-columns.js";
import type { OwnAddresses } from "./guard-flows.js";
import { portChanges } from "./port-columns.js";

/** A port to plug. */
export interface PlugOptions {
  /** Id of the lan. */
  readonly lan: string;
  /** Name of the interface in the switch's namespace. */
  readonly port: string;
  /** Resource name of the endpoint it belongs to. */
  readonly endpoint: string;
  /** What the lan does with its frames; default: it forwards them. */
  readonly settings?: PortSettings | undefined;
  /** The bond that it is in, as its settings say; default: none. */
  readonly bond?: PlugBond | undefined;
  /** The addresses that are its own, for guards; default: not known, and no guard holds. */
  readonly own?: OwnAddresses | undefined;
}

/** What of a port is not as its settings say, for people; empty: nothing. */
export function changeOf(row: MirroredRow | undefined, { settings, bond }: PlugOptions): string {
  if (row === undefined) return "it was taken out of its lan at the switch";
  const columns = Object.keys(portChanges(row, settings, bond?.primary));
  return columns.length === 0 ? "" : `its settings were changed at the switch (${columns.join(", ")})`;
}

/** Whether the device is another than the one that was plugged. The kernel may have given it the same index. */
export function isMadeAnew(device: MirroredRow, { index, isPromiscuous }: Device, datapath: Datapath): boolean {
  if (tagsOf(device).get(tagKeys.ifindex) !== String(index)) return true;
  // vswitchd puts the devices of a userspace datapath into promiscuous mode, in which none is when it is made.
  return datapath === "netdev" && !isPromiscuous;
}

/** The other interfaces in the bond of one, as they are plugged; pure. */
export function bondedWith(
  { port, bond }: PlugOptions,
  plugs: ReadonlyMap<string, PlugOptions>,
): readonly PlugOptions[] {
  if (bond === undefined) return [];
  return [...plugs.values()].filter((other) => other.bond?.port === bond.port && other.port !== port);
}

/** Which port it is, for logs. */
export function idsOf({ port, lan, endpoint }: PlugOptions) {
  return { port, lan, endpoint };
}

/** There is no such lan to plug into. */
export function noLan(lan: string): Error {
  return notFound(`lans/${lan}`, "create it first, or list them with: zor get lans");
}

/** Why a port could not be plugged. */
export function plugFailed({ endpoint, lan }: PlugOptions, why: string): Error {
  return unavailable("PLUG_FAILED", endpoint, `${endpoint} could not be plugged into lan ${lan}: ${why}`);
}
