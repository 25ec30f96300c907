import { failedPrecondition } from "../../../lib/errors.js";
import { isOwned, type PluggedDevice, tagKeys } from "../bridge-operations.js";
import type { MirroredRow, OvsdbMirror, RowKey } from "../ovs/ovsdb-mirror.js";
import { findScalar, readMap } from "../ovs/ovsdb-values.js";

/** The external_ids of a row; pure. */
export function tagsOf(row: MirroredRow): ReadonlyMap<string, string> {
  return readMap(row.columns["external_ids"]);
}

/** Name of a bridge, port or interface in the switch's database; pure. */
export function nameOf(row: MirroredRow): string {
  return String(findScalar(row.columns["name"]) ?? "");
}

/** The bridges of an agent; pure. */
export function bridgesOf(mirror: OvsdbMirror, agentUid: string): readonly MirroredRow[] {
  return mirror.list("Bridge").filter((row) => isOwned(row, agentUid));
}

/** The bridge of a lan; pure. */
export function findBridge(mirror: OvsdbMirror, agentUid: string, lan: string): MirroredRow | undefined {
  return mirror.findBy("Bridge", lanOf, lanKey(agentUid, lan));
}

const lanOf: RowKey = (columns) => {
  const tags = readMap(columns["external_ids"]);
  const [agentUid, lan] = [tags.get(tagKeys.agent), tags.get(tagKeys.lan)];
  return agentUid === undefined || lan === undefined ? undefined : lanKey(agentUid, lan);
};

// Neither has blanks.
const lanKey = (agentUid: string, lan: string): string => `${agentUid} ${lan}`;

/** A device of a port of an agent, in whichever bridge it is; pure. @throws {ZorError} FAILED_PRECONDITION: somebody else made it */
export function findPort(mirror: OvsdbMirror, agentUid: string, name: string): PluggedDevice | undefined {
  for (const bridge of mirror.list("Bridge")) {
    for (const row of mirror.follow(bridge, "ports", "Port")) {
      const device = mirror.follow(row, "interfaces", "Interface").find(({ columns }) => columns["name"] === name);
      if (device === undefined) continue;
      if (isOwned(row, agentUid)) return { bridge, row, device };
      const what = `port ${name} of the switch was not made by this agent; remove it by hand`;
      throw failedPrecondition("PORT_NOT_OURS", "", what);
    }
  }
  return undefined;
}

/** The port of a bridge that has this name; pure. */
export function findBond(mirror: OvsdbMirror, bridge: MirroredRow, name: string): MirroredRow | undefined {
  return mirror.follow(bridge, "ports", "Port").find(({ columns }) => columns["name"] === name);
}

/** The ports of the switch by the names of their devices; pure. */
export function portsByDevice(mirror: OvsdbMirror): ReadonlyMap<string, MirroredRow> {
  const ports = mirror.list("Port");
  return new Map(
    ports.flatMap((row) =>
      mirror.follow(row, "interfaces", "Interface").map((device) => [nameOf(device), row] as const),
    ),
  );
}

/** The interfaces of a bridge's ports that an agent made, its own first: it says what the lan's MTU is; pure. */
export function interfacesOf(mirror: OvsdbMirror, bridge: MirroredRow): readonly MirroredRow[] {
  const ports = mirror.follow(bridge, "ports", "Port").filter((port) => tagsOf(port).has(tagKeys.agent));
  const rows = ports.flatMap((port) => mirror.follow(port, "interfaces", "Interface"));
  const own = bridge.columns["name"];
  return rows.sort((a, b) => Number(b.columns["name"] === own) - Number(a.columns["name"] === own));
}
