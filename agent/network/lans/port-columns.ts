import { PortSettings, QinqEthertype, VlanMode } from "../../../proto/gen/zor/v1/port.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import { bondColumns, bondConfig, bondKeys } from "./bond-columns.js";
import { type OvsdbRow, type OvsdbValue, readMap, sameValue, toMapValue, toSetValue } from "../ovs/ovsdb-values.js";

/** Keys of external_ids of a port by which its part in mirrors is known to whoever looks at the other ports. */
export const mirrorKeys = { from: "zor-mirror-from", to: "zor-mirror-to" } as const;

const modes: Readonly<Record<number, string>> = {
  [VlanMode.VLAN_MODE_ACCESS]: "access",
  [VlanMode.VLAN_MODE_TRUNK]: "trunk",
  [VlanMode.VLAN_MODE_NATIVE_UNTAGGED]: "native-untagged",
  [VlanMode.VLAN_MODE_NATIVE_TAGGED]: "native-tagged",
  [VlanMode.VLAN_MODE_QINQ]: "dot1q-tunnel",
};

const none = toSetValue([]);
const ethertypeKey = "qinq-ethertype";

/** Columns of a Port (ovs-vswitchd.conf.db) that a port's VLANs are; those of none are empty; pure. */
function vlanColumns({ vlan }: PortSettings): OvsdbRow {
  if (vlan === undefined) return { tag: none, trunks: none, cvlans: none, vlan_mode: none };
  const isQinq = vlan.mode === VlanMode.VLAN_MODE_QINQ;
  const carried = toSetValue(vlan.trunks);
  return {
    tag: vlan.tag === 0 ? none : vlan.tag,
    trunks: isQinq ? none : carried,
    cvlans: isQinq ? carried : none,
    vlan_mode: modes[vlan.mode] ?? none,
  };
}

/** A Port's other_config for these settings: what is not about them stays; pure. */
function portConfig(before: OvsdbValue | undefined, { vlan, bond }: PortSettings, primary: string): OvsdbValue {
  const ours: readonly string[] = [ethertypeKey, ...bondKeys];
  const others = [...readMap(before)].filter(([key]) => !ours.includes(key));
  const config = { ...Object.fromEntries(others), ...bondConfig(bond, primary) };
  if (vlan?.mode !== VlanMode.VLAN_MODE_QINQ) return toMapValue(config);
  const isInner = vlan.qinqEthertype === QinqEthertype.QINQ_ETHERTYPE_8021Q;
  return toMapValue({ ...config, [ethertypeKey]: isInner ? "802.1q" : "802.1ad" });
}

/** external_ids that say a port's part in mirrors; pure. */
export function mirrorTags({ mirrorFrom, mirrorTo }: PortSettings): Record<string, string> {
  return {
    ...(mirrorFrom.length === 0 ? {} : { [mirrorKeys.from]: mirrorFrom.join(" ") }),
    ...(mirrorTo.length === 0 ? {} : { [mirrorKeys.to]: mirrorTo.join(" ") }),
  };
}

/** Whether a Port is a source or the end of a mirror; pure. */
export function takesPartInMirrors(port: MirroredRow): boolean {
  const ids = readMap(port.columns["external_ids"]);
  return Object.values(mirrorKeys).some((key) => ids.has(key));
}

/** Columns of a new Port. @param primary the device that its bond prefers; "": none. */
export function newPortColumns(settings: PortSettings | undefined, primary = ""): OvsdbRow {
  const whole = settings ?? PortSettings.create();
  return { ...vlanColumns(whole), ...bondColumns(whole.bond), other_config: portConfig(undefined, whole, primary) };
}

/** The columns in which a Port is not as its settings say; pure. @param primary the device that its bond prefers; "": none. */
export function portChanges(port: MirroredRow, settings: PortSettings | undefined, primary = ""): OvsdbRow {
  const whole = settings ?? PortSettings.create();
  const ids = Object.fromEntries(readMap(port.columns["external_ids"]));
  for (const key of Object.values(mirrorKeys)) delete ids[key];
  const wanted: OvsdbRow = {
    ...vlanColumns(whole),
    ...bondColumns(whole.bond),
    other_config: portConfig(port.columns["other_config"], whole, primary),
    external_ids: toMapValue({ ...ids, ...mirrorTags(whole) }),
  };
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => !sameValue(port.columns[name], value)));
}
