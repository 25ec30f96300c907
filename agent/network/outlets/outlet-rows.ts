import type { Ipfix, NetFlow, Sflow } from "../../../proto/gen/zor/v1/lan_outlet.js";
import { tagKeys } from "../bridge-operations.js";
import { tagsOf } from "../lans/bridge-rows.js";
import type { OvsdbOperation } from "../ovs/ovsdb-client.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import {
  findScalar,
  type OvsdbRow,
  type OvsdbValue,
  sameValue,
  toMapValue,
  toSetValue,
  toUuidValue,
} from "../ovs/ovsdb-values.js";

/** What a bridge is to have of what leaves it. */
export interface WantedOutlets {
  /** Columns of the row that each of these columns of the bridge refers to. */
  readonly exports: ReadonlyMap<ExportColumn, OvsdbRow>;
  /** Columns of its controllers, by target. */
  readonly controllers: ReadonlyMap<string, OvsdbRow>;
  readonly failMode: "standalone" | "secure";
}

/** Columns of a bridge that say whom it tells of its traffic, with their tables. */
export const exportTables = { netflow: "NetFlow", sflow: "sFlow", ipfix: "IPFIX" } as const;
/** One of them. */
export type ExportColumn = keyof typeof exportTables;

const none: OvsdbValue = ["set", []];
const defaults = { netflow: 600, sampling: 400, polling: 30, header: 128, maxFlows: 8192 } as const;
/** Until a controller that is away is tried again, at most, ms: it is found at a socket of this host. */
const maxBackoffMs = 1000;
const defaultProbeSeconds = 5;

/** The row of NetFlow; pure. @param target "ip:port" that the switch sends to. */
export function netflowRow({ activeTimeoutSeconds }: NetFlow, target: string, domain: number): OvsdbRow {
  return {
    targets: target,
    active_timeout: activeTimeoutSeconds || defaults.netflow,
    engine_type: (domain >>> 8) & 0xff,
    engine_id: domain & 0xff,
    add_id_to_interface: false,
  };
}

/** The row of sFlow; pure. The relay says who sends it. */
export function sflowRow({ sampling, pollingSeconds, headerBytes }: Sflow, target: string): OvsdbRow {
  return {
    targets: target,
    sampling: sampling || defaults.sampling,
    polling: pollingSeconds || defaults.polling,
    header: headerBytes || defaults.header,
    agent: "lo",
  };
}

/** The row of IPFIX; pure. */
export function ipfixRow(
  { sampling, activeTimeoutSeconds, maxFlows }: Ipfix,
  target: string,
  domain: number,
): OvsdbRow {
  const isCached = activeTimeoutSeconds > 0;
  return {
    targets: target,
    sampling: sampling || defaults.sampling,
    obs_domain_id: domain,
    obs_point_id: domain,
    cache_active_timeout: isCached ? activeTimeoutSeconds : none,
    cache_max_flows: isCached ? maxFlows || defaults.maxFlows : none,
  };
}

/** The row of a controller; pure. @param socket of the switch's directory. */
export function controllerRow(socket: string, probeSeconds: number): OvsdbRow {
  return {
    target: `unix:${socket}`,
    connection_mode: "out-of-band",
    max_backoff: maxBackoffMs,
    inactivity_probe: (probeSeconds || defaultProbeSeconds) * 1000,
  };
}

/** Operations that bring a bridge to what is wanted; none when it is; pure. What somebody else has put there stays. */
export function adjustOutlets(mirror: OvsdbMirror, bridge: MirroredRow, wanted: WantedOutlets): OvsdbOperation[] {
  const agent = tagsOf(bridge).get(tagKeys.agent) ?? "";
  const isOurs = (row: MirroredRow): boolean => tagsOf(row).get(tagKeys.agent) === agent;
  const insert = (table: string, row: OvsdbRow, id: string): OvsdbOperation => ({
    op: "insert",
    table,
    "uuid-name": id,
    row: { ...row, external_ids: toMapValue({ [tagKeys.agent]: agent }) },
  });
  const idOf = (word: string): string => `${word}_${bridge.uuid.replaceAll("-", "_")}`;
  const operations: OvsdbOperation[] = [];
  const changes: Record<string, OvsdbValue> = {};
  for (const [column, table] of Object.entries(exportTables) as [ExportColumn, (typeof exportTables)[ExportColumn]][]) {
    const [there] = mirror.follow(bridge, column, table);
    const row = wanted.exports.get(column);
    if (row === undefined) {
      if (there !== undefined && isOurs(there)) changes[column] = none;
    } else if (there === undefined || !isOurs(there)) {
      operations.push(insert(table, row, idOf(column)));
      changes[column] = ["named-uuid", idOf(column)];
    } else operations.push(...updates(table, there, row));
  }
  const present = mirror.follow(bridge, "controller", "Controller");
  const ours = present.filter(isOurs);
  const targets = new Map([...wanted.controllers.values()].map((row) => [targetOf(row), row]));
  const kept = ours.filter((row) => targets.has(targetOf(row.columns)));
  for (const row of kept) operations.push(...updates("Controller", row, targets.get(targetOf(row.columns)) ?? {}));
  const missing = [...targets].filter(([target]) => !kept.some(({ columns }) => targetOf(columns) === target));
  const refs = [...kept.map(({ uuid }) => toUuidValue(uuid)), ...missing.map((_, index) => named(idOf(`ctl${index}`)))];
  for (const [index, [, row]] of missing.entries()) operations.push(insert("Controller", row, idOf(`ctl${index}`)));
  if (targets.size > 0) {
    if (missing.length > 0 || present.length !== kept.length) changes["controller"] = toSetValue(refs);
    if (findScalar(bridge.columns["fail_mode"]) !== wanted.failMode) changes["fail_mode"] = wanted.failMode;
  } else if (ours.length > 0) {
    const others = present.filter((row) => !isOurs(row)).map(({ uuid }) => toUuidValue(uuid));
    changes["controller"] = toSetValue(others);
    changes["fail_mode"] = none;
  }
  const where = [["_uuid", "==", toUuidValue(bridge.uuid)]];
  if (Object.keys(changes).length > 0) operations.push({ op: "update", table: "Bridge", where, row: changes });
  return operations;
}

function updates(table: string, { uuid, columns }: MirroredRow, row: OvsdbRow): OvsdbOperation[] {
  const changed = Object.entries(row).filter(([name, value]) => !sameValue(columns[name], value));
  if (changed.length === 0) return [];
  return [{ op: "update", table, where: [["_uuid", "==", toUuidValue(uuid)]], row: Object.fromEntries(changed) }];
}

function targetOf(row: OvsdbRow): string {
  return String(findScalar(row["target"]) ?? "");
}

function named(id: string): OvsdbValue {
  return ["named-uuid", id];
}
