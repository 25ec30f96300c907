import { isOwned, tagKeys } from "../bridge-operations.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { findScalar, readMap } from "../ovs/ovsdb-values.js";
import { failedPrecondition } from "../../../lib/errors.js";

/** A port with the bridge it is in. */
export interface PluggedRow {
  readonly bridge: MirroredRow;
  readonly row: MirroredRow;
}

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
  return bridgesOf(mirror, agentUid).find((row) => tagsOf(row).get(tagKeys.lan) === lan);
}

/** A port of an agent, in whichever bridge it is; pure. @throws {ZorError} FAILED_PRECONDITION: somebody else made it */
export function findPort(mirror: OvsdbMirror, agentUid: string, port: string): PluggedRow | undefined {
  for (const bridge of mirror.list("Bridge")) {
    const row = mirror.follow(bridge, "ports", "Port").find(({ columns }) => columns["name"] === port);
    if (row === undefined) continue;
    if (isOwned(row, agentUid)) return { bridge, row };
    const what = `port ${port} of the switch was not made by this agent; remove it by hand`;
    throw failedPrecondition("PORT_NOT_OURS", "", what);
  }
  return undefined;
}

/** The interfaces of a bridge's ports that an agent made, its own first: it says what the lan's MTU is; pure. */
export function interfacesOf(mirror: OvsdbMirror, bridge: MirroredRow): readonly MirroredRow[] {
  const ports = mirror.follow(bridge, "ports", "Port").filter((port) => tagsOf(port).has(tagKeys.agent));
  const rows = ports.flatMap((port) => mirror.follow(port, "interfaces", "Interface"));
  const own = bridge.columns["name"];
  return rows.sort((a, b) => Number(b.columns["name"] === own) - Number(a.columns["name"] === own));
}
