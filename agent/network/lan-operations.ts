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
}

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
  const tags = toMapValue({ [tagKeys.agent]: agentUid, [tagKeys.lan]: lan.id, [tagKeys.lanUid]: lan.uid });
  return [
    insert("Interface", "iface", { name, type: "internal", mtu_request: lan.mtu, external_ids: tags }),
    insert("Port", "port", { name, interfaces: ["named-uuid", "iface"], external_ids: tags }),
    insert("Bridge", "bridge", {
      name,
      ports: ["named-uuid", "port"],
      datapath_type: datapath,
      rstp_enable: lan.rstp,
      external_ids: tags,
    }),
    mutateSet("Open_vSwitch", undefined, "bridges", "insert", ["named-uuid", "bridge"]),
  ];
}

/** Operations that bring an existing bridge to its configuration; none when it is there. */
export function adjustBridge(
  bridge: MirroredRow,
  interfaces: readonly MirroredRow[],
  lan: LanConfig,
): OvsdbOperation[] {
  const operations: OvsdbOperation[] = [];
  if (bridge.columns["rstp_enable"] !== lan.rstp) {
    operations.push(update("Bridge", bridge.uuid, { rstp_enable: lan.rstp }));
  }
  for (const row of interfaces) {
    if (findScalar(row.columns["mtu_request"]) !== lan.mtu) {
      operations.push(update("Interface", row.uuid, { mtu_request: lan.mtu }));
    }
  }
  return operations;
}

/** Operations that remove a bridge; its ports go with it. */
export function removeBridge(bridge: MirroredRow): OvsdbOperation[] {
  return [mutateSet("Open_vSwitch", undefined, "bridges", "delete", toSetValue([toUuidValue(bridge.uuid)]))];
}

/** Operations that add a port to a bridge. */
export function addPort(options: {
  readonly bridge: MirroredRow;
  readonly port: string;
  readonly mtu: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
}): OvsdbOperation[] {
  const { bridge, port, mtu, tags } = options;
  const ids = toMapValue(tags);
  return [
    insert("Interface", "iface", {
      name: port,
      external_ids: ids,
      ...(mtu === undefined ? {} : { mtu_request: mtu }),
    }),
    insert("Port", "port", { name: port, interfaces: ["named-uuid", "iface"], external_ids: ids }),
    mutateSet("Bridge", bridge.uuid, "ports", "insert", ["named-uuid", "port"]),
  ];
}

/** Operations that take a port out of its bridge. */
export function removePort(bridge: MirroredRow, port: MirroredRow): OvsdbOperation[] {
  return [mutateSet("Bridge", bridge.uuid, "ports", "delete", toSetValue([toUuidValue(port.uuid)]))];
}

function insert(table: string, name: string, row: Readonly<Record<string, OvsdbValue>>): OvsdbOperation {
  return { op: "insert", table, row, "uuid-name": name };
}

function update(table: string, uuid: string, row: Readonly<Record<string, OvsdbValue>>): OvsdbOperation {
  return { op: "update", table, where: [["_uuid", "==", toUuidValue(uuid)]], row };
}

/** @param uuid undefined: every row of the table, for the one that has a single row. */
function mutateSet(
  table: string,
  uuid: string | undefined,
  column: string,
  mutator: "insert" | "delete",
  value: OvsdbValue,
): OvsdbOperation {
  const where = uuid === undefined ? [] : [["_uuid", "==", toUuidValue(uuid)]];
  return { op: "mutate", table, where, mutations: [[column, mutator, value]] };
}
