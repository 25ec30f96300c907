import type { PortSettings } from "../../proto/gen/zor/v1/port.js";
import { type BridgeSettings, bridgeChanges, newBridgeColumns, rspanTags } from "./lans/bridge-settings.js";
import type { PlugBond } from "./lans/bond-columns.js";
import { mirrorTags, newPortColumns, portChanges } from "./lans/port-columns.js";
import { toTestPortName } from "./names.js";
import type { OvsdbOperation } from "./ovs/ovsdb-client.js";
import type { MirroredRow } from "./ovs/ovsdb-mirror.js";
import {
  findScalar,
  listUuids,
  type OvsdbValue,
  readMap,
  toMapValue,
  toSetValue,
  toUuidValue,
} from "./ovs/ovsdb-values.js";

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

/** Operations that add a port to a bridge, or a device to the port of its bond. */
export function addPort(options: {
  readonly bridge: MirroredRow;
  readonly port: string;
  readonly mtu: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly settings: PortSettings | undefined;
  readonly bond?: PlugBond | undefined;
  /** The port of its bond, where that has other devices already. */
  readonly joined?: MirroredRow | undefined;
  /** The OpenFlow number that it is to have, for which its flows were made; default: whichever. */
  readonly number?: number | undefined;
}): OvsdbOperation[] {
  const { bridge, port, mtu, tags, settings, bond, joined, number } = options;
  const ids = { ...tags, ...(settings === undefined ? {} : mirrorTags(settings)) };
  const { [tagKeys.endpoint]: _, [tagKeys.ifindex]: __, ...ofBond } = ids;
  const device = insert("Interface", "iface", {
    name: port,
    external_ids: toMapValue(ids),
    ...(number === undefined ? {} : { ofport_request: number }),
    ...(mtu === undefined ? {} : { mtu_request: mtu }),
  });
  if (joined !== undefined) {
    const set = { table: "Port", where: [["_uuid", "==", toUuidValue(joined.uuid)]], column: "interfaces" } as const;
    return [device, mutateSet(set, "insert", ["named-uuid", "iface"]), ...adjustPort(joined, settings, bond?.primary)];
  }
  return [
    device,
    insert("Port", "port", {
      name: bond?.port ?? port,
      interfaces: ["named-uuid", "iface"],
      ...newPortColumns(settings, bond?.primary),
      external_ids: toMapValue(bond === undefined ? ids : ofBond),
    }),
    mutateSet(portsOf(bridge), "insert", ["named-uuid", "port"]),
  ];
}

/** Operations that bring a port that is in its bridge to its settings; none when it is. */
export function adjustPort(port: MirroredRow, settings: PortSettings | undefined, primary = ""): OvsdbOperation[] {
  const changes = portChanges(port, settings, primary);
  return Object.keys(changes).length === 0 ? [] : [update("Port", port.uuid, changes)];
}

/** Operations that take a port out of its bridge; of a bond with other devices, this one alone. */
export function removePort({ bridge, row, device }: RemovedPort): OvsdbOperation[] {
  if (device !== undefined && listUuids(row.columns["interfaces"]).length > 1) {
    const set = { table: "Port", where: [["_uuid", "==", toUuidValue(row.uuid)]], column: "interfaces" } as const;
    return [mutateSet(set, "delete", toSetValue([toUuidValue(device.uuid)]))];
  }
  return [mutateSet(portsOf(bridge), "delete", toSetValue([toUuidValue(row.uuid)]))];
}

/** A port to remove; without device it is one that has no other. */
type RemovedPort = Omit<PluggedDevice, "device"> & Partial<Pick<PluggedDevice, "device">>;

/** A device of a port of a bridge. */
export interface PluggedDevice {
  readonly bridge: MirroredRow;
  /** The port: of a bond, that of all its members. */
  readonly row: MirroredRow;
  readonly device: MirroredRow;
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
