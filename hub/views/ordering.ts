import { OrderedRows } from "../../lib/list/ordered-rows.js";
import type { SortValue } from "../../lib/query/sort-keys.js";
import { compareSorted } from "../../lib/query/sort-keys.js";
import { sortedRuns } from "../kit/sorted-runs.js";
import type { Work } from "../kit/turns.js";
import type { Row, RowTable } from "./row-table.js";

/** Rows that are gone through before a call may get in between. */
export const stride = 512;

/** A row where it stands: what it was sorted by then. It never changes: a row that is sorted otherwise has another entry. */
export interface Entry {
  readonly row: Row;
  readonly keys: readonly SortValue[];
  readonly state: string;
}

/** Rows of one kind in an ordering. */
export interface OrderedKind {
  readonly table: RowTable;
  readonly keysOf: (row: Row) => readonly SortValue[];
}

/** Counts of rows. */
export interface Counts {
  readonly states: ReadonlyMap<string, number>;
  readonly kinds: ReadonlyMap<string, number>;
}

/** What is made of the rows that a query selects. */
export interface Summed {
  /** A row has changed. @param isIn whether it is selected now. */
  put(row: Row, isIn: boolean): void;
}

/**
 * All rows of some kinds in one order, and the parts of them that queries select. A row that has changed is put where it belongs when changes are
 * brought in, once for all that came meanwhile.
 */
export class Ordering {
  readonly #kinds: ReadonlyMap<RowTable, OrderedKind>;
  readonly #descending: readonly boolean[];
  readonly #entries = new Map<Row, Entry>();
  readonly #dirty = new Set<Row>();
  readonly #selections = new Set<Selection>();
  readonly #onDirty: () => void;
  #list: OrderedRows<Entry> | undefined;
  readonly #observe = (row: Row): void => {
    if (this.#dirty.size === 0) this.#onDirty();
    this.#dirty.add(row);
  };

  /** @param onDirty called when there is something to bring in: call {@link bringIn} soon. */
  constructor(kinds: readonly OrderedKind[], descending: readonly boolean[], onDirty: () => void) {
    this.#kinds = new Map(kinds.map((kind) => [kind.table, kind]));
    this.#descending = descending;
    this.#onDirty = onDirty;
    for (const { table } of kinds) table.observers.add(this.#observe);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Sorts for the first and only time. */
  *build(): Work<void> {
    const rows = [...this.#kinds.keys()].flatMap((table) => [...table.rows.values()]);
    const pick = (row: Row): Entry | undefined => (row.isGone ? undefined : this.#entry(row));
    const sorted = yield* sortedRuns(rows, pick, this.compare);
    for (const [at, entry] of sorted.entries()) {
      if (at % stride === 0) yield;
      this.#entries.set(entry.row, entry);
    }
    this.#list = new OrderedRows(this.compare, sorted);
  }

  /** Adds a part. It is complete when the work is done. */
  *select(selection: Selection, candidates: Iterable<Row> | undefined): Work<void> {
    this.#selections.add(selection);
    const picked: Entry[] = [];
    let seen = 0;
    // In order already, unless few come from an index.
    const all = candidates === undefined ? [...(this.#list?.all() ?? [])] : [...this.#entriesOf(candidates)];
    for (const entry of all) {
      seen += 1;
      if (seen % stride === 0) yield;
      if (selection.passes(entry.row)) picked.push(entry);
    }
    if (candidates !== undefined) picked.sort(this.compare);
    yield* selection.begin(picked, new OrderedRows(this.compare, picked), (row) => this.#entries.get(row));
  }

  forget(selection: Selection): void {
    this.#selections.delete(selection);
  }

  /** Puts rows that have changed where they belong. */
  bringIn(): void {
    const list = this.#list;
    if (list === undefined || this.#dirty.size === 0) return;
    for (const row of this.#dirty) {
      const before = this.#entries.get(row);
      const after = row.isGone ? undefined : this.#renewed(row, before);
      if (before !== after) {
        if (before !== undefined) list.delete(before);
        if (after === undefined) this.#entries.delete(row);
        else {
          list.add(after);
          this.#entries.set(row, after);
        }
      }
      for (const selection of this.#selections) selection.take(row, after);
    }
    this.#dirty.clear();
    for (const selection of this.#selections) selection.told();
  }

  close(): void {
    for (const table of this.#kinds.keys()) table.observers.delete(this.#observe);
    this.#entries.clear();
    this.#list = undefined;
  }

  readonly compare = (left: Entry, right: Entry): number => {
    const descending = this.#descending;
    for (let at = 0; at < descending.length; at += 1) {
      const order = compareSorted(left.keys[at] ?? "", right.keys[at] ?? "", descending[at] === true);
      if (order !== 0) return order;
    }
    return left.row === right.row ? 0 : left.row.name < right.row.name ? -1 : 1;
  };

  *#entriesOf(rows: Iterable<Row>): IterableIterator<Entry> {
    for (const row of rows) {
      const entry = this.#entries.get(row);
      if (entry !== undefined) yield entry;
    }
  }

  #renewed(row: Row, before: Entry | undefined): Entry {
    const after = this.#entry(row);
    const isSame =
      before !== undefined && before.state === after.state && after.keys.every((key, at) => key === before.keys[at]);
    return isSame ? before : after;
  }

  #entry(row: Row): Entry {
    return { row, keys: this.#kinds.get(row.table)?.keysOf(row) ?? [], state: row.state };
  }
}

/** What a query selects of an ordering. */
export class Selection {
  readonly passes: (row: Row) => boolean;
  /** Told of every row that has changed. */
  readonly summings = new Set<Summed>();
  readonly #members = new Map<Row, Entry>();
  readonly #states = new Map<string, number>();
  readonly #kinds = new Map<string, number>();
  /** Rows that changed while it was being made. */
  readonly #meanwhile = new Set<Row>();
  readonly #readers = new Set<() => void>();
  #list: OrderedRows<Entry> | undefined;
  #isOther = false;
  #failure: unknown;
  /** Grows with every change of what it selects, and of the rows themselves. */
  version = 0;

  constructor(passes: (row: Row) => boolean) {
    this.passes = passes;
  }

  get size(): number {
    return this.#list?.size ?? 0;
  }

  /** @throws what looking at a row threw: nothing is selected any more since then. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  get counts(): Counts {
    return { states: this.#states, kinds: this.#kinds };
  }

  slice(from: number, to: number): readonly Entry[] {
    return this.#list?.slice(from, to) ?? [];
  }

  has(row: Row): boolean {
    return this.#members.has(row);
  }

  /** Place of a row; undefined: it is not selected. */
  placeOf(row: Row | undefined): number | undefined {
    const entry = row === undefined ? undefined : this.#members.get(row);
    return entry === undefined ? undefined : this.#list?.rankOf(entry);
  }

  /** Resolves when something has changed since a version, or `cancel` aborts. */
  async changed(since: number, cancel: AbortSignal): Promise<void> {
    if (this.version !== since || cancel.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#readers.delete(wake);
        cancel.removeEventListener("abort", wake);
        resolve();
      };
      this.#readers.add(wake);
      cancel.addEventListener("abort", wake);
    });
  }

  /** Takes what was picked, and then what changed until that was done. */
  *begin(picked: readonly Entry[], list: OrderedRows<Entry>, entryOf: (row: Row) => Entry | undefined): Work<void> {
    for (const [at, entry] of picked.entries()) {
      if (at % stride === 0) yield;
      this.#members.set(entry.row, entry);
      this.#count(entry, 1);
    }
    this.#list = list;
    for (const row of this.#meanwhile) this.take(row, row.isGone ? undefined : entryOf(row));
    this.#meanwhile.clear();
  }

  /** A row has changed. @param after undefined: it is gone. */
  take(row: Row, after: Entry | undefined): void {
    const list = this.#list;
    if (list === undefined) {
      this.#meanwhile.add(row);
      return;
    }
    if (this.#failure !== undefined) return;
    const before = this.#members.get(row);
    let wanted: Entry | undefined;
    try {
      wanted = after !== undefined && this.passes(row) ? after : undefined;
    } catch (error) {
      // Its readers are told; others do not suffer for it.
      this.#failure = error;
      this.#isOther = true;
      return;
    }
    if (before === undefined && wanted === undefined) return;
    this.#isOther = true;
    for (const summing of this.summings) summing.put(row, wanted !== undefined);
    if (before === wanted) return;
    if (before !== undefined) {
      list.delete(before);
      this.#members.delete(row);
      this.#count(before, -1);
    }
    if (wanted !== undefined) {
      list.add(wanted);
      this.#members.set(row, wanted);
      this.#count(wanted, 1);
    }
  }

  /** All changes were taken: readers are told. */
  told(): void {
    if (!this.#isOther) return;
    this.#isOther = false;
    this.version += 1;
    for (const wake of [...this.#readers]) wake();
  }

  #count({ row, state }: Entry, by: 1 | -1): void {
    add(this.#states, state, by);
    add(this.#kinds, row.table.kind, by);
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
