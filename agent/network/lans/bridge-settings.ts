import type { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import { type OvsdbValue, readMap, sizeOf, toMapValue, toSetValue } from "../ovs/ovsdb-values.js";

/** What a lan does beyond learning who is where. */
export type BridgeSettings = Pick<LanSpec, "rstpSettings" | "flood" | "multicastSnooping">;

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

const vlans = 4096;
/** Of all of these a bridge that floods learns nothing; 0 is what has no tag. */
const allVlans: readonly number[] = Array.from({ length: vlans }, (_, vlan) => vlan);

/** Columns of a new bridge. */
export function newBridgeColumns(lan: SetLan): Readonly<Record<string, OvsdbValue>> {
  return {
    rstp_enable: lan.rstp,
    mcast_snooping_enable: lan.settings?.multicastSnooping !== undefined,
    flood_vlans: toSetValue(lan.settings?.flood === true ? allVlans : []),
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
  const floods = sizeOf(columns["flood_vlans"]);
  if (floods !== (lan.settings?.flood === true ? vlans : 0)) changes["flood_vlans"] = wanted["flood_vlans"] ?? false;
  const config = readMap(columns["other_config"]);
  const ours = configOf(lan);
  if (ourKeys.some((key) => config.get(key) !== ours[key])) {
    const others = [...config].filter(([key]) => !ourKeys.includes(key));
    changes["other_config"] = toMapValue({ ...Object.fromEntries(others), ...ours });
  }
  return changes;
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
