import type { PortSettings } from "../../proto/gen/zor/v1/port.js";
import { type BridgeSettings, bridgeChanges, newBridgeColumns, rspanTags } from "./lans/bridge-settings.js";
import { mirrorTags, newPortColumns, portChanges } from "./lans/port-columns.js";
import { toTestPortName } from "./names.js";
import type { OvsdbOperation } from "./ovs/ovsdb-client.js";
import type { MirroredRow } from "./ovs/ovsdb-mirror.js";
import { findScalar, type OvsdbValue, readMap, toMapValue, toSetValue, toUuidValue } from "./ovs/ovsdb-values.js";

/** What a lan should be. */
export interface LanConfig {
  /** Last segment of the resource name. */
  readonly id: string;
  readonly uid: string;
  /** In bytes. */
  readonly mtu: number;
  readonly rstp: boolean;
  /** Default: it learns, and has none of them. */
  readonly settings?: BridgeSettings | undefined;
}

/**
 * What devices of a lan carry beyond its MTU: tags and labels in front of a full packet. Of these the kernel allows for one of 802.1Q
 * only; three 802.1ad tags and a stack of MPLS labels fit in here.
 */
export const tagHeadroomBytes = 64;

/** Keys of external_ids by which we know our own. */
export const tagKeys = {
  agent: "zor-agent",
  lan: "zor-lan",
  lanUid: "zor-lan-uid",
  endpoint: "zor-endpoint",
  ifindex: "zor-ifindex",
} as const;

/** Whether a row was made by this agent. */
export function isOwned(row: MirroredRow, agentUid: string): boolean {
  return readMap(row.columns["external_ids"]).get(tagKeys.agent) === agentUid;
}

/** Operations that make a lan's bridge. */
export function addBridge(options: {
  readonly lan: LanConfig;
  readonly name: string;
  readonly agentUid: string;
  readonly datapath: string;
}): OvsdbOperation[] {
  const { lan, name, agentUid, datapath } = options;
  const tags = lanTags(lan, agentUid);
  return [
    ...addInternalPort({ name, key: "own", lan, tags }),
    ...addInternalPort({ name: toTestPortName(lan.uid), key: "test", lan, tags }),
    insert("Bridge", "bridge", {
      name,
      ports: toSetValue([
        ["named-uuid", "own_port"],
        ["named-uuid", "test_port"],
      ]),
      datapath_type: datapath,
      ...newBridgeColumns(lan),
      external_ids: toMapValue({ ...tagsOfLan(lan, agentUid), ...rspanTags(lan) }),
    }),
    mutateSet(allBridges, "insert", ["named-uuid", "bridge"]),
  ];
}

/** Operations that bring an existing bridge to its configuration; none when it is there. */
export function adjustBridge(
  bridge: MirroredRow,
  interfaces: readonly MirroredRow[],
  { lan, agentUid }: { readonly lan: LanConfig; readonly agentUid: string },
): OvsdbOperation[] {
  const operations = adjustSettings(bridge, lan);
  for (const row of interfaces) {
    const mtu = deviceMtu(lan);
    if (findScalar(row.columns["mtu_request"]) !== mtu) {
      operations.push(update("Interface", row.uuid, { mtu_request: mtu }));
    }
  }
  const name = toTestPortName(lan.uid);
  if (interfaces.some((row) => row.columns["name"] === name)) return operations;
  return [
    ...operations,
    ...addInternalPort({ name, key: "test", lan, tags: lanTags(lan, agentUid) }),
    mutateSet(portsOf(bridge), "insert", ["named-uuid", "test_port"]),
  ];
}

/** Operations that bring a bridge alone to its configuration, without its ports. */
export function adjustSettings(bridge: MirroredRow, lan: LanConfig): OvsdbOperation[] {
  const changes = bridgeChanges(bridge, lan);
  return Object.keys(changes).length === 0 ? [] : [update("Bridge", bridge.uuid, changes)];
}

function deviceMtu({ mtu }: LanConfig): number {
  return mtu + tagHeadroomBytes;
}

function tagsOfLan(lan: LanConfig, agentUid: string): Readonly<Record<string, string>> {
  return { [tagKeys.agent]: agentUid, [tagKeys.lan]: lan.id, [tagKeys.lanUid]: lan.uid };
}

function lanTags(lan: LanConfig, agentUid: string): OvsdbValue {
  return toMapValue(tagsOfLan(lan, agentUid));
}

/** A port whose device the switch makes itself. Its named uuid is "{key}_port". */
function addInternalPort({
  name,
  key,
  lan,
  tags,
}: {
  readonly name: string;
  readonly key: string;
  readonly lan: LanConfig;
  readonly tags: OvsdbValue;
}): OvsdbOperation[] {
  return [
    insert("Interface", `${key}_iface`, { name, type: "internal", mtu_request: deviceMtu(lan), external_ids: tags }),
    insert("Port", `${key}_port`, { name, interfaces: ["named-uuid", `${key}_iface`], external_ids: tags }),
  ];
}

/** Operations that remove a bridge; its ports go with it. */
export function removeBridge(bridge: MirroredRow): OvsdbOperation[] {
  return [mutateSet(allBridges, "delete", toSetValue([toUuidValue(bridge.uuid)]))];
}

/** Operations that add a port to a bridge. */
export function addPort(options: {
  readonly bridge: MirroredRow;
  readonly port: string;
  readonly mtu: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly settings: PortSettings | undefined;
}): OvsdbOperation[] {
  const { bridge, port, mtu, tags, settings } = options;
  const ids = toMapValue({ ...tags, ...(settings === undefined ? {} : mirrorTags(settings)) });
  return [
    insert("Interface", "iface", {
      name: port,
      external_ids: ids,
      ...(mtu === undefined ? {} : { mtu_request: mtu }),
    }),
    insert("Port", "port", {
      name: port,
      interfaces: ["named-uuid", "iface"],
      ...newPortColumns(settings),
      external_ids: ids,
    }),
    mutateSet(portsOf(bridge), "insert", ["named-uuid", "port"]),
  ];
}

/** Operations that bring a port that is in its bridge to its settings; none when it is. */
export function adjustPort(port: MirroredRow, settings: PortSettings | undefined): OvsdbOperation[] {
  const changes = portChanges(port, settings);
  return Object.keys(changes).length === 0 ? [] : [update("Port", port.uuid, changes)];
}

/** Operations that take a port out of its bridge. */
export function removePort(bridge: MirroredRow, port: MirroredRow): OvsdbOperation[] {
  return [mutateSet(portsOf(bridge), "delete", toSetValue([toUuidValue(port.uuid)]))];
}

function insert(table: string, name: string, row: Readonly<Record<string, OvsdbValue>>): OvsdbOperation {
  return { op: "insert", table, row, "uuid-name": name };
}

function update(table: string, uuid: string, row: Readonly<Record<string, OvsdbValue>>): OvsdbOperation {
  return { op: "update", table, where: [["_uuid", "==", toUuidValue(uuid)]], row };
}

/** The set of bridges of the switch: its table has a single row. */
const allBridges = { table: "Open_vSwitch", where: [], column: "bridges" } as const;

/** The set of ports of a bridge. */
function portsOf({ uuid }: MirroredRow): OvsdbSet {
  return { table: "Bridge", where: [["_uuid", "==", toUuidValue(uuid)]], column: "ports" };
}

/** A column that holds a set. */
interface OvsdbSet {
  readonly table: string;
  /** Rows; none given: all. */
  readonly where: readonly (readonly [column: string, is: "==", value: OvsdbValue])[];
  readonly column: string;
}

function mutateSet(
  { table, where, column }: OvsdbSet,
  mutator: "insert" | "delete",
  value: OvsdbValue,
): OvsdbOperation {
  return { op: "mutate", table, where, mutations: [[column, mutator, value]] };
}
