import type { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import { type OvsdbValue, readMap, sameValue, toMapValue, toSetValue } from "../ovs/ovsdb-values.js";

/** What a lan does beyond learning who is where. */
export type BridgeSettings = Pick<LanSpec, "rstpSettings" | "flood" | "multicastSnooping" | "rspans" | "controller">;

/** A lan's part that this reads. */
interface SetLan {
  readonly rstp: boolean;
  readonly settings?: BridgeSettings | undefined;
}

/**
 * Has a bridge forward what is sent to the addresses that IEEE 802.1D reserves (01:80:c2:00:00:0x: spanning tree, LACP, 802.1X, LLDP):
 * a lan stands for a wire. A bridge that runs RSTP itself takes part in it and forwards the others.
 */
const forwardReserved = { "forward-bpdu": "true" } as const;

/** Keys of other_config that are ours; all others are left alone. */
const ourKeys = [
  ...["forward-bpdu", "rstp-priority", "rstp-max-age", "rstp-forward-delay"],
  ...["mcast-snooping-disable-flood-unregistered", "mcast-snooping-table-size", "mcast-snooping-aging-time"],
];

/** By this key of external_ids of a bridge it is known in which VLANs copies go out, also before a lan's specification is read. */
const rspanKey = "zor-rspan";

const vlans = 4096;
/** Of all of these a bridge that floods learns nothing; 0 is what has no tag. */
const allVlans: readonly number[] = Array.from({ length: vlans }, (_, vlan) => vlan);

/** Columns of a new bridge. */
export function newBridgeColumns(lan: SetLan): Readonly<Record<string, OvsdbValue>> {
  return {
    rstp_enable: lan.rstp,
    mcast_snooping_enable: lan.settings?.multicastSnooping !== undefined,
    flood_vlans: toSetValue(floodVlans(lan)),
    other_config: toMapValue(configOf(lan)),
  };
}

/** Columns of a bridge that are not as they should be, as they should be. */
export function bridgeChanges({ columns }: MirroredRow, lan: SetLan): Readonly<Record<string, OvsdbValue>> {
  const wanted = newBridgeColumns(lan);
  const changes: Record<string, OvsdbValue> = {};
  for (const name of ["rstp_enable", "mcast_snooping_enable"] as const) {
    if (columns[name] !== wanted[name]) changes[name] = wanted[name] ?? false;
  }
  if (!sameValue(columns["flood_vlans"], wanted["flood_vlans"]))
    changes["flood_vlans"] = wanted["flood_vlans"] ?? false;
  const config = readMap(columns["other_config"]);
  const ours = configOf(lan);
  if (ourKeys.some((key) => config.get(key) !== ours[key])) {
    const others = [...config].filter(([key]) => !ourKeys.includes(key));
    changes["other_config"] = toMapValue({ ...Object.fromEntries(others), ...ours });
  }
  const { [rspanKey]: told, ...ids } = Object.fromEntries(readMap(columns["external_ids"]));
  const rspans = rspanTags(lan);
  if (told !== rspans[rspanKey]) changes["external_ids"] = toMapValue({ ...ids, ...rspans });
  return changes;
}

/** In the VLANs of copies nothing may be learned: who sends would be looked for where the copies come from. */
function floodVlans({ settings }: SetLan): readonly number[] {
  if (settings?.flood === true) return allVlans;
  return [...new Set((settings?.rspans ?? []).map(({ vlan }) => vlan))];
}

/** external_ids of a bridge that say in which VLANs copies of mirrors go out; pure. */
export function rspanTags({ settings }: SetLan): Readonly<Record<string, string>> {
  const rspans = settings?.rspans ?? [];
  if (rspans.length === 0) return {};
  return { [rspanKey]: rspans.map(({ mirror, vlan }) => `${mirror}=${vlan}`).join(" ") };
}

/** The VLAN of each mirror whose copies go out in one; pure. */
export function rspansOf({ columns }: MirroredRow): ReadonlyMap<string, number> {
  const words = (readMap(columns["external_ids"]).get(rspanKey) ?? "").split(" ").filter((word) => word !== "");
  return new Map(words.map((word) => [word.split("=")[0] ?? "", Number(word.split("=")[1])]));
}

function configOf({ rstp, settings }: SetLan): Readonly<Record<string, string>> {
  const { rstpSettings, multicastSnooping } = settings ?? {};
  const tree = rstp ? rstpSettings : undefined;
  return {
    ...forwardReserved,
    ...(tree?.priority === undefined ? {} : { "rstp-priority": String(tree.priority) }),
    ...(tree === undefined || tree.maxAgeSeconds === 0 ? {} : { "rstp-max-age": String(tree.maxAgeSeconds) }),
    ...(tree === undefined || tree.forwardDelaySeconds === 0
      ? {}
      : { "rstp-forward-delay": String(tree.forwardDelaySeconds) }),
    ...(multicastSnooping?.dropUnregistered === true ? { "mcast-snooping-disable-flood-unregistered": "true" } : {}),
    ...(multicastSnooping === undefined || multicastSnooping.tableSize === 0
      ? {}
      : { "mcast-snooping-table-size": String(multicastSnooping.tableSize) }),
    ...(multicastSnooping === undefined || multicastSnooping.ageingSeconds === 0
      ? {}
      : { "mcast-snooping-aging-time": String(multicastSnooping.ageingSeconds) }),
  };
}
