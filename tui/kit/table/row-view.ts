import type { CellContext } from "../fleet/fleet-view.js";
import type { Column } from "./column.js";
import { isFaulty } from "./faults.js";
import { type Filter, matches } from "./filter.js";
import type { Row } from "../row.js";
import type { Table } from "../fleet/table.js";
import { compareKeys, naturalKey, type SortKey, sortKeyOf } from "./sort-key.js";

/** With more changes than this part of the rows, sorting again is cheaper than moving rows one by one. */
const rebuildShare = 1 / 8;

/** What a view shows of a table and in which order. */
export interface ViewQuery {
  readonly filter: Filter;
  readonly columns: readonly Column[];
  readonly sortBy: Column;
  readonly descending: boolean;
  /** Only what asks for a look. */
  readonly faultsOnly?: boolean;
  /** Which rows belong to the view at all; undefined: every one. */
  readonly scope: ((row: Row) => boolean) | undefined;
}

interface Entry {
  readonly row: Row;
  readonly key: SortKey;
  /** Order of rows with the same key. */
  readonly tie: string;
}

/**
 * The rows of a table that pass a filter, in order. Kept up to date with work in proportion to what changed since the last
 * read, not to the number of rows.
 */
export class RowView {
  readonly #table: Table;
  #query: ViewQuery;
  #entries: Entry[] = [];
  readonly #shown = new Map<string, Entry>();
  #version = -1;
  readonly #inScope = new Set<string>();

  constructor(table: Table, query: ViewQuery) {
    this.#table = table;
    this.#query = query;
  }

  get query(): ViewQuery {
    return this.#query;
  }

  setQuery(query: ViewQuery): void {
    this.#query = query;
    this.#version = -1;
  }

  /** Rows that pass, brought up to date. */
  read(context: CellContext): RowList {
    const changes = this.#table.changesSince(Math.max(this.#version, 0));
    if (this.#version < 0 || changes.everything || changes.names.length > 64 + this.#entries.length * rebuildShare) {
      this.#rebuild(context);
    } else {
      for (const name of changes.names) this.#update(name, context);
    }
    this.#version = changes.version;
    return this;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Rows of the scope, whether the filter lets them through or not. */
  get total(): number {
    return this.#query.scope === undefined ? this.#table.size : this.#inScope.size;
  }

  at(index: number): Row | undefined {
    return this.#entries[index]?.row;
  }

  /** Place of a row; -1 when it is not shown. */
  indexOf(name: string): number {
    const entry = this.#shown.get(name);
    return entry === undefined ? -1 : this.#lowerBound(entry);
  }

  #rebuild(context: CellContext): void {
    const { scope } = this.#query;
    const entries: Entry[] = [];
    this.#inScope.clear();
    this.#shown.clear();
    for (const row of this.#table.rows()) {
      if (scope !== undefined && !scope(row)) continue;
      if (scope !== undefined) this.#inScope.add(row.name);
      if (!this.#passes(row, context)) continue;
      const entry = this.#entry(row, context);
      entries.push(entry);
      this.#shown.set(row.name, entry);
    }
    this.#entries = entries.sort((left, right) => this.#compare(left, right));
  }

  #passes(row: Row, context: CellContext): boolean {
    return passes(this.#query, row, context);
  }

  #update(name: string, context: CellContext): void {
    const { scope } = this.#query;
    const before = this.#shown.get(name);
    const row = this.#table.find(name);
    const belongs = row !== undefined && (scope === undefined || scope(row));
    if (belongs && scope !== undefined) this.#inScope.add(name);
    else this.#inScope.delete(name);
    const wanted = belongs && this.#passes(row, context) ? row : undefined;
    const after = wanted === undefined ? undefined : this.#entry(wanted, context);
    if (before !== undefined) {
      const index = this.#lowerBound(before);
      if (after !== undefined && after.key === before.key) {
        this.#entries[index] = after;
        this.#shown.set(name, after);
        return;
      }
      this.#entries.splice(index, 1);
      this.#shown.delete(name);
    }
    if (after === undefined) return;
    this.#entries.splice(this.#lowerBound(after), 0, after);
    this.#shown.set(name, after);
  }

  #lowerBound(entry: Entry): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const candidate = this.#entries[middle];
      if (candidate !== undefined && this.#compare(candidate, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(left: Entry, right: Entry): number {
    const order = compareKeys(left.key, right.key);
    if (order !== 0) return this.#query.descending ? -order : order;
    return compareKeys(left.tie, right.tie);
  }

  #entry(row: Row, context: CellContext): Entry {
    const { sortBy } = this.#query;
    const tie = naturalKey(row.name);
    return { row, key: sortKeyOf(sortBy, row, context), tie };
  }
}

/** Whether a row of the scope is shown. */
export function passes({ filter, columns, faultsOnly }: ViewQuery, row: Row, context: CellContext): boolean {
  return matches(filter, row, columns, context) && (faultsOnly !== true || isFaulty(row, columns, context));
}

/** Rows in order, read by place. */
export interface RowList {
  readonly length: number;
  readonly total: number;
  at(index: number): Row | undefined;
  indexOf(name: string): number;
}

/** A fixed list of rows. */
export function fixedRows(rows: readonly Row[], total: number): RowList {
  return {
    length: rows.length,
    total,
    at: (index) => rows[index],
    indexOf: (name) => rows.findIndex((row) => row.name === name),
  };
}
