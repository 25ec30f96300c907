import type { OvsdbClient, TableUpdates } from "./ovsdb-client.js";
import { listUuids, type OvsdbRow } from "./ovsdb-values.js";

/** Tables that are mirrored, with their columns. */
const watchedColumns = {
  Open_vSwitch: ["bridges", "cur_cfg", "next_cfg", "other_config"],
  Bridge: [
    ...["name", "ports", "mirrors", "external_ids", "other_config", "datapath_type"],
    ...["rstp_enable", "rstp_status", "flood_vlans", "mcast_snooping_enable"],
    ...["netflow", "sflow", "ipfix", "controller", "fail_mode"],
  ],
  Port: [
    ...["name", "interfaces", "external_ids", "rstp_status"],
    ...["tag", "trunks", "cvlans", "vlan_mode", "other_config"],
    ...["bond_mode", "lacp", "bond_updelay", "bond_downdelay"],
  ],
  Interface: ["name", "error", "ofport", "ifindex", "mtu", "mtu_request", "statistics", "external_ids"],
  Mirror: [
    ...["name", "select_all", "select_src_port", "select_dst_port"],
    ...["output_port", "output_vlan", "external_ids"],
  ],
  NetFlow: ["targets", "active_timeout", "engine_type", "engine_id", "add_id_to_interface", "external_ids"],
  sFlow: ["targets", "sampling", "polling", "header", "agent", "external_ids"],
  IPFIX: [
    ...["targets", "sampling", "obs_domain_id", "obs_point_id"],
    ...["cache_active_timeout", "cache_max_flows", "external_ids"],
  ],
  Controller: [
    ...["target", "connection_mode", "max_backoff", "inactivity_probe", "external_ids"],
    ...["is_connected", "role", "status"],
  ],
} as const;

/** A mirrored table. */
export type TableName = keyof typeof watchedColumns;

/** A row with its uuid. */
export interface MirroredRow {
  readonly uuid: string;
  readonly columns: OvsdbRow;
}

/** What changed: anything but counters, or counters only. */
export type MirrorChange = "structure" | "counters";

/** What rows of a table are found by; undefined: a row is not. It looks at the row alone. */
export type RowKey = (columns: OvsdbRow) => string | undefined;

/** Rows of a table by a key, kept change by change. */
class RowIndex {
  readonly #keyOf: RowKey;
  readonly #uuids = new Map<string, Set<string>>();
  readonly #keys = new Map<string, string>();

  constructor(keyOf: RowKey, rows: Iterable<readonly [string, OvsdbRow]>) {
    this.#keyOf = keyOf;
    for (const [uuid, columns] of rows) this.take(uuid, columns);
  }

  find(key: string): string | undefined {
    return this.#uuids.get(key)?.values().next().value;
  }

  /** @param columns undefined: the row is gone. */
  take(uuid: string, columns: OvsdbRow | undefined): void {
    const [before, now] = [this.#keys.get(uuid), columns === undefined ? undefined : this.#keyOf(columns)];
    if (before === now) return;
    if (before !== undefined) {
      const others = this.#uuids.get(before);
      others?.delete(uuid);
      if (others?.size === 0) this.#uuids.delete(before);
    }
    if (now === undefined) {
      this.#keys.delete(uuid);
      return;
    }
    this.#keys.set(uuid, now);
    const same = this.#uuids.get(now);
    if (same === undefined) this.#uuids.set(now, new Set([uuid]));
    else same.add(uuid);
  }
}

const byName: RowKey = ({ name }) => (typeof name === "string" ? name : undefined);

/** The switch's database as its monitor tells it, always current, read without asking. */
export class OvsdbMirror {
  readonly #tables = new Map<string, Map<string, OvsdbRow>>();
  readonly #indexes = new Map<string, Map<RowKey, RowIndex>>();
  readonly #listeners = new Set<(change: MirrorChange) => void>();

  private constructor() {}

  /** Starts to mirror over a connection. */
  static async start(client: OvsdbClient): Promise<OvsdbMirror> {
    const mirror = new OvsdbMirror();
    mirror.#apply(await client.monitor("mirror", watchedColumns, (updates) => mirror.#apply(updates)));
    return mirror;
  }

  /** All rows of a table. */
  list(table: TableName): readonly MirroredRow[] {
    return [...(this.#tables.get(table) ?? [])].map(([uuid, columns]) => ({ uuid, columns }));
  }

  /** The row of a table with this name. */
  findByName(table: "Bridge" | "Port" | "Interface", name: string): MirroredRow | undefined {
    return this.findBy(table, byName, name);
  }

  /** The first row of a table that has this key, without looking at others. @param keyOf always the same function: what was found by it before is known. */
  findBy(table: TableName, keyOf: RowKey, key: string): MirroredRow | undefined {
    const rows = this.#tables.get(table) ?? new Map<string, OvsdbRow>();
    const indexes = this.#indexes.get(table) ?? new Map<RowKey, RowIndex>();
    this.#indexes.set(table, indexes);
    const index = indexes.get(keyOf) ?? new RowIndex(keyOf, rows);
    indexes.set(keyOf, index);
    const uuid = index.find(key);
    const columns = uuid === undefined ? undefined : rows.get(uuid);
    return uuid === undefined || columns === undefined ? undefined : { uuid, columns };
  }

  /** The one row of the Open_vSwitch table. */
  root(): MirroredRow {
    const [root] = this.list("Open_vSwitch");
    if (root === undefined) throw new Error("the switch's database has no root row");
    return root;
  }

  /** Rows that a column of another row refers to; such as the ports of a bridge. */
  follow(row: MirroredRow, column: string, table: TableName): readonly MirroredRow[] {
    const rows = this.#tables.get(table);
    return listUuids(row.columns[column]).flatMap((uuid) => {
      const columns = rows?.get(uuid);
      return columns === undefined ? [] : [{ uuid, columns }];
    });
  }

  /** Calls back after every change. Returns the way to stop. */
  onChange(listener: (change: MirrorChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #apply(updates: TableUpdates): void {
    let change: MirrorChange = "counters";
    for (const [table, rows] of Object.entries(updates)) {
      const mirrored = this.#tables.get(table) ?? new Map<string, OvsdbRow>();
      this.#tables.set(table, mirrored);
      for (const [uuid, row] of Object.entries(rows)) {
        if (row.new === undefined) mirrored.delete(uuid);
        else mirrored.set(uuid, row.new);
        for (const index of this.#indexes.get(table)?.values() ?? []) index.take(uuid, row.new);
        const changed = row.old === undefined || row.new === undefined ? undefined : Object.keys(row.old);
        if (changed?.every((column) => isCounter(table, column)) !== true) change = "structure";
      }
    }
    for (const listener of this.#listeners) listener(change);
  }
}

/** Whether a column changes all the time; of controllers the seconds since they came and went are counted too. */
function isCounter(table: string, column: string): boolean {
  return column === "statistics" || (table === "Controller" && column === "status");
}
