import type { CellContext } from "../fleet/fleet-view.js";
import type { Column } from "./column.js";
import { isFaulty } from "./faults.js";
import { type Filter, matches, narrows } from "./filter.js";
import type { Row } from "../row.js";
import type { Table } from "../fleet/table.js";
import { compareKeys, naturalKey, type SortKey, sortKeyOf } from "./sort-key.js";

/** Filters whose rows are kept while one types, and rows of all of them together. */
const keptFilters = 8;
const keptRows = 150_000;

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
  /** The row's slot in the table. */
  readonly slot: number;
  readonly key: SortKey;
  /** Order of rows with the same key. */
  readonly tie: string;
}

/** The rows that a filter lets through, as they were at a version of the table. */
interface Passed {
  readonly filter: Filter;
  entries: Entry[];
  /** By slot. */
  shown: (Entry | undefined)[];
  version: number;
}

/**
 * The rows of a table that pass a filter, in order. Kept up to date with work in proportion to what changed since the last
 * read, not to the number of rows. A filter that is typed on, or taken back letter by letter, looks only at what passed before.
 */
export class RowView {
  readonly #table: Table;
  #query: ViewQuery;
  #passed: Passed;
  /** Of the filters before, the last one last. */
  #earlier: Passed[] = [];
  /** Slots. */
  readonly #inScope = new Set<number>();

  constructor(table: Table, query: ViewQuery) {
    this.#table = table;
    this.#query = query;
    this.#passed = nothingYet(query.filter);
  }

  get query(): ViewQuery {
    return this.#query;
  }

  setQuery(query: ViewQuery): void {
    const before = this.#query;
    this.#query = query;
    const isSame = (Object.keys(query) as (keyof ViewQuery)[]).every(
      (key) => key === "filter" || query[key] === before[key],
    );
    if (!isSame || query.scope !== undefined) {
      this.#earlier = [];
      this.#passed = nothingYet(query.filter);
      return;
    }
    if (query.filter === this.#passed.filter) return;
    const known = this.#earlier.find(({ filter }) => filter.text === query.filter.text);
    this.#keep(this.#passed);
    this.#passed = known ?? nothingYet(query.filter);
    this.#earlier = this.#earlier.filter((each) => each !== known);
  }

  /** Keeps what passed a filter for when it is gone back to, or narrowed. */
  #keep(passed: Passed): void {
    // What compares with the time, or with other resources, is looked at anew.
    if (passed.version < 0 || !narrows(passed.filter, passed.filter)) return;
    this.#earlier = [...this.#earlier.filter(({ filter }) => filter.text !== passed.filter.text), passed].slice(
      -keptFilters,
    );
    let rows = this.#earlier.reduce((sum, { entries }) => sum + entries.length, 0);
    while (rows > keptRows) rows -= this.#earlier.shift()?.entries.length ?? rows;
  }

  /** Rows that pass, brought up to date. */
  read(context: CellContext): RowList {
    if (this.#passed.version < 0) this.#narrow(context);
    const { version, entries } = this.#passed;
    const changes = this.#table.changesSince(Math.max(version, 0));
    if (version < 0 || changes.everything || changes.slots.length > 64 + entries.length * rebuildShare) {
      this.#rebuild(context);
    } else {
      for (const slot of changes.slots) this.#update(slot, context);
    }
    this.#passed.version = changes.version;
    return this;
  }

  /** Begins with what passed an earlier filter that lets everything through which this one does. */
  #narrow(context: CellContext): void {
    const { filter } = this.#query;
    const wider = this.#earlier.findLast((each) => narrows(each.filter, filter));
    if (wider === undefined) return;
    const entries = wider.entries.filter(({ slot }) => {
      const row = this.#table.glance(slot);
      return row !== undefined && this.#passes(row, context);
    });
    const shown = new Array<Entry | undefined>(this.#table.capacity);
    for (const entry of entries) shown[entry.slot] = entry;
    this.#passed = { filter, entries, shown, version: wider.version };
  }

  get length(): number {
    return this.#passed.entries.length;
  }

  /** Rows of the scope, whether the filter lets them through or not. */
  get total(): number {
    return this.#query.scope === undefined ? this.#table.size : this.#inScope.size;
  }

  at(index: number): Row | undefined {
    const entry = this.#passed.entries[index];
    return entry === undefined ? undefined : this.#table.at(entry.slot);
  }

  /** Place of a row; -1 when it is not shown. */
  indexOf(name: string): number {
    const entry = this.#passed.shown[this.#table.slotOf(name)];
    return entry === undefined ? -1 : this.#lowerBound(entry);
  }

  #rebuild(context: CellContext): void {
    const { scope } = this.#query;
    const entries: Entry[] = [];
    const shown = new Array<Entry | undefined>(this.#table.capacity);
    this.#inScope.clear();
    for (const slot of this.#table.slots()) {
      const row = this.#table.glance(slot);
      if (row === undefined || (scope !== undefined && !scope(row))) continue;
      if (scope !== undefined) this.#inScope.add(slot);
      if (!this.#passes(row, context)) continue;
      const entry = this.#entry(slot, row, context);
      entries.push(entry);
      shown[slot] = entry;
    }
    this.#passed.shown = shown;
    this.#passed.entries = entries.sort((left, right) => this.#compare(left, right));
  }

  #passes(row: Row, context: CellContext): boolean {
    return passes(this.#query, row, context);
  }

  #update(slot: number, context: CellContext): void {
    const { scope } = this.#query;
    const { entries, shown } = this.#passed;
    const before = shown[slot];
    const row = this.#table.glance(slot);
    const belongs = row !== undefined && (scope === undefined || scope(row));
    if (belongs && scope !== undefined) this.#inScope.add(slot);
    else this.#inScope.delete(slot);
    const wanted = belongs && this.#passes(row, context) ? row : undefined;
    const after = wanted === undefined ? undefined : this.#entry(slot, wanted, context);
    if (before !== undefined) {
      const index = this.#lowerBound(before);
      if (after !== undefined && after.key === before.key && after.tie === before.tie) {
        entries[index] = after;
        shown[slot] = after;
        return;
      }
      entries.splice(index, 1);
      shown[slot] = undefined;
    }
    if (after === undefined) return;
    entries.splice(this.#lowerBound(after), 0, after);
    shown[slot] = after;
  }

  #lowerBound(entry: Entry): number {
    let low = 0;
    const { entries } = this.#passed;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const candidate = entries[middle];
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

  #entry(slot: number, row: Row, context: CellContext): Entry {
    const { sortBy } = this.#query;
    const tie = naturalKey(row.name);
    return { slot, key: sortKeyOf(sortBy, row, context), tie };
  }
}

function nothingYet(filter: Filter): Passed {
  return { filter, entries: [], shown: [], version: -1 };
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
