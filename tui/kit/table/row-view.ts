import type { CellContext } from "../fleet/fleet-view.js";
import type { Table } from "../fleet/table.js";
import type { Row } from "../row.js";
import type { Column } from "./column.js";
import { isFaulty } from "./faults.js";
import { FirstEntries } from "./first-entries.js";
import { compileFilter, type Filter, type FilterTest, isOpen, matches, narrows } from "./filter.js";
import { Looked } from "./looked.js";
import { type Entry, type EntryOrder, OrderedSlots, SlotArray, SlotMap } from "./ordered-slots.js";
import { naturalKey } from "./sort-key.js";
import { areSameKeys, isSortedAlike, keysOf, orderOf, type Sorting } from "./sorting.js";
import { type Parts, partOfRows, sortInParts } from "./sort-slots.js";

/** Filters of which what passed is kept while one types. */
const keptFilters = 4;
/** What passed an earlier filter is looked through again rather than brought up to date after more changes. */
const mostMissed = 512;
/** More changes than these are brought in in parts. */
const mostAtOnce = 2 * partOfRows;

/** What a view shows of a table and in which order. */
export interface ViewQuery extends Sorting {
  readonly filter: Filter;
  readonly columns: readonly Column[];
  /** Only what asks for a look. */
  readonly faultsOnly?: boolean;
  /** Which rows belong to the view at all; undefined: every one. */
  readonly scope: ((row: Row) => boolean) | undefined;
}

/** Entries as they were at a version of the table. */
interface Known {
  readonly slots: OrderedSlots;
  version: number;
}

/** What passed a filter. */
interface Passed extends Known {
  readonly filter: Filter;
}

/** What has changed between two versions of the table. */
interface Missed {
  readonly since: number;
  readonly version: number;
  readonly slots: readonly number[];
}

/** What is being made, of what was known when it was begun. */
interface Making {
  readonly parts: Parts<OrderedSlots>;
  /** Of what it is made. */
  readonly version: number;
  /** Those that passed so far, in order; undefined: what is made has no order yet. */
  readonly found: readonly Entry[] | undefined;
  /** What is shown of it where nothing was before; undefined: something was. */
  readonly first?: FirstEntries | undefined;
}

/**
 * The rows of a table that pass a filter, in order. All rows of its scope are kept in that order, so that a filter only looks through them, and
 * what changes is moved, with work in proportion to what changed since the last look. Long work is done in parts: {@link glance}
 * shows what there is so far, {@link work} goes on, {@link read} does the rest at once.
 */
export class RowView implements RowList {
  readonly #table: Table;
  #query: ViewQuery;
  #order: EntryOrder;
  #test: FilterTest;
  /** All rows of the scope; undefined: they are not sorted yet. */
  #all: Known | undefined;
  /** What passes; undefined: it is not known yet, or everything does. */
  #passed: Passed | undefined;
  /** Of the filters before, the last one last. */
  #earlier: Passed[] = [];
  #making: Making | undefined;
  /** What has changed since, if that is so much that it is brought in in parts; undefined: nothing is being brought in. */
  #bringing: Parts<void> | undefined;
  /** What was shown before the order that is being made. */
  #before: OrderedSlots | undefined;
  /** The row that is looked at. */
  readonly #looked: Looked;

  constructor(table: Table, query: ViewQuery) {
    this.#table = table;
    this.#looked = new Looked(table);
    this.#query = query;
    this.#order = orderOf(query);
    this.#test = compileFilter(query.filter, query.columns);
  }

  setQuery(query: ViewQuery): void {
    const before = this.#query;
    this.#query = query;
    const isSameOrder = query.scope === before.scope && isSortedAlike(query, before);
    // What passes is another question now; in which order all are may be the same.
    if (!isSameOrder || this.#making?.found !== undefined) this.#making = undefined;
    if (!isSameOrder) {
      this.#before = query.scope === before.scope ? this.#shown : undefined;
      this.#order = orderOf(query);
      [this.#all, this.#bringing] = [undefined, undefined];
    } else if (this.#passed !== undefined) this.#earlier.push(this.#passed);
    if (!isSameOrder || query.faultsOnly !== before.faultsOnly || query.columns !== before.columns) this.#earlier = [];
    if (query.columns !== before.columns) this.#looked.forgetAll();
    // What compares with the time, or with other resources, is looked at anew.
    this.#earlier = this.#earlier.filter(({ filter }) => narrows(filter, filter)).slice(-keptFilters);
    this.#passed = undefined;
    this.#test = compileFilter(query.filter, query.columns);
  }

  /** Rows that pass, brought up to date, all of them. */
  read(context: CellContext): RowList {
    while (!this.glance(context).isWhole) this.#finish();
    return this;
  }

  /** Rows that pass, as far as they are known after a part of the work that there is to do. */
  glance(context: CellContext): RowList {
    // All rows are in order first, and then those that pass are picked of them.
    for (let step = 0; step < 2; step += 1) {
      // What is looked through stays as it is meanwhile.
      const isFree = this.#making?.found === undefined && this.#bringing === undefined;
      if (this.#all !== undefined && isFree) this.#follow(this.#all, context);
      if (this.isWhole) break;
      if (this.#making === undefined && !this.#isKnown) this.#begin(context);
      if (this.work()) break;
    }
    return this;
  }

  #finish(): void {
    let isMore = true;
    while (isMore) isMore = this.work();
  }

  /** Rows that pass as they were shown last, if they are still looked for; else those of a glance. */
  seen(context: CellContext): RowList {
    return this.#making === undefined && this.#bringing === undefined ? this.glance(context) : this;
  }

  /** Goes on with what is not whole; false: there is nothing to go on with, before the next glance. */
  work(): boolean {
    const making = this.#making;
    if (making === undefined) return this.#bringOn();
    const step = making.parts.next();
    if (step.done !== true) return true;
    this.#making = undefined;
    const known = { slots: step.value, version: making.version };
    if (making.found === undefined) {
      this.#all = known;
      this.#before = undefined;
    } else this.#passed = { ...known, filter: this.#query.filter };
    return false;
  }

  get isWhole(): boolean {
    return this.#isKnown && this.#bringing === undefined;
  }

  /** What passes is known, as it was a while ago at least. */
  get #isKnown(): boolean {
    return this.#all !== undefined && (this.#isOpen || this.#passed !== undefined);
  }

  get length(): number {
    return this.#making?.found?.length ?? this.#rows?.length ?? 0;
  }

  /** Rows of the scope, whether the filter lets them through or not. */
  get total(): number {
    if (this.#query.scope === undefined) return this.#table.size;
    return (this.#all?.slots ?? this.#before)?.length ?? this.#making?.first?.given ?? 0;
  }

  at(index: number): Row | undefined {
    return this.slice(index, index + 1)[0];
  }

  slice(from: number, to: number): readonly Row[] {
    const entries = this.#making?.found?.slice(from, to) ?? this.#rows?.slice(from, to) ?? [];
    return entries.map(({ slot }) => this.#table.at(slot)).filter((row) => row !== undefined);
  }

  /** Place of a row; -1 when it is not shown. */
  indexOf(name: string): number {
    const slot = this.#table.slotOf(name);
    if (slot < 0) return -1;
    const found = this.#making?.found;
    if (found !== undefined) return found.findIndex((entry) => entry.slot === slot);
    return this.#rows?.indexOf(slot) ?? -1;
  }

  /** Everything passes. */
  get #isOpen(): boolean {
    return this.#query.faultsOnly !== true && isOpen(this.#query.filter);
  }

  /** What there is to show that is whole. */
  get #shown(): OrderedSlots | undefined {
    if (this.#all === undefined) return this.#before;
    return this.#isOpen ? this.#all.slots : this.#passed?.slots;
  }

  /** What there is to show. */
  get #rows(): OrderedSlots | FirstEntries | undefined {
    return this.#shown ?? this.#making?.first;
  }

  /** Brings what is known up to date, at once if that is little. */
  #follow(all: Known, context: CellContext): void {
    const { version } = this.#table;
    if (all.version === version && (this.#passed === undefined || this.#passed.version === version)) return;
    const since = Math.min(all.version, this.#passed?.version ?? all.version);
    const slots = this.#table.slotsSince(since);
    this.#bringing = this.#broughtIn(all, { since, version, slots }, context);
    if (slots.length > mostAtOnce) return;
    let isMore = true;
    while (isMore) isMore = this.#bringOn();
  }

  /** Goes on with bringing in what has changed; false: there is no more of that. */
  #bringOn(): boolean {
    if (this.#bringing === undefined) return false;
    if (this.#bringing.next().done !== true) return true;
    this.#bringing = undefined;
    return false;
  }

  /** What there is stays in order all the while, those that are moved later where they were. */
  *#broughtIn(all: Known, { since, version, slots }: Missed, context: CellContext): Parts<void> {
    for (const [at, slot] of slots.entries()) {
      if (at > 0 && at % partOfRows === 0) yield;
      this.#looked.forget(slot);
      all.slots.put(slot, this.#renewed(slot, all.slots.of(slot), context));
    }
    all.version = version;
    const passed = this.#passed;
    // What is further behind is judged when this is done.
    if (passed === undefined || passed.version < since) return;
    for (const [at, slot] of slots.entries()) {
      if (at > 0 && at % partOfRows === 0) yield;
      // Another filter is judged by itself.
      if (this.#passed !== passed) return;
      this.#judge(passed.slots, all.slots.of(slot), slot, context);
    }
    passed.version = version;
  }

  #judge(slots: OrderedSlots, entry: Entry | undefined, slot: number, context: CellContext): void {
    slots.put(slot, entry !== undefined && this.#passes(slot, context) ? entry : undefined);
  }

  #begin(context: CellContext): void {
    const { version } = this.#table;
    if (this.#all === undefined) {
      const first =
        this.#before === undefined ? new FirstEntries(this.#order, (slot) => this.#passes(slot, context)) : undefined;
      this.#making = { parts: this.#sorted(context, first), version, found: undefined, first };
      return;
    }
    const recent = this.#earlier.filter((each) => {
      const changes = this.#table.changesSince(each.version);
      return !changes.everything && changes.slots.length <= mostMissed;
    });
    const { filter } = this.#query;
    const same = recent.find((each) => each.filter.text === filter.text);
    if (same !== undefined) {
      this.#earlier = this.#earlier.filter((each) => each !== same);
      this.#passed = { ...same, filter };
      if (this.#bringing === undefined) this.#follow(this.#all, context);
      return;
    }
    const wider = recent.filter((each) => narrows(each.filter, filter));
    const source = wider.reduce<Known>(
      (least, each) => (each.slots.length < least.slots.length ? each : least),
      this.#all,
    );
    const found: Entry[] = [];
    this.#making = { parts: this.#picked(source.slots, found, context), version: source.version, found };
  }

  /** All rows of the scope in order. */
  *#sorted(context: CellContext, first?: FirstEntries): Parts<OrderedSlots> {
    const entries: Entry[] = [];
    let seen = 0;
    // The table changes meanwhile.
    for (const slot of [...this.#table.slots()]) {
      seen += 1;
      if (seen % partOfRows === 0) yield;
      const entry = this.#renewed(slot, undefined, context);
      if (entry === undefined) continue;
      entries.push(entry);
      first?.add(entry);
    }
    return new OrderedSlots(this.#order, yield* sortInParts(entries, this.#order), new SlotArray());
  }

  /** What passes of others, in their order. */
  *#picked(source: OrderedSlots, found: Entry[], context: CellContext): Parts<OrderedSlots> {
    for (let from = 0; from < source.length; from += partOfRows) {
      if (from > 0) yield;
      for (const entry of source.slice(from, from + partOfRows))
        if (this.#passes(entry.slot, context)) found.push(entry);
    }
    return new OrderedSlots(this.#order, found, new SlotMap());
  }

  /** The entry of a slot, the one of before where it stands as it stood; undefined: no row of the scope is there. */
  #renewed(slot: number, before: Entry | undefined, context: CellContext): Entry | undefined {
    const { scope } = this.#query;
    const row = this.#table.glance(slot);
    if (row === undefined || (scope !== undefined && !scope(row))) return undefined;
    const { key, more } = keysOf(this.#query, row, context);
    const tie = naturalKey(row.name);
    const isSame = before !== undefined && before.key === key && before.tie === tie && areSameKeys(before.more, more);
    return isSame ? before : { slot, key, more, tie };
  }

  #passes(slot: number, context: CellContext): boolean {
    const { columns, faultsOnly } = this.#query;
    this.#looked.look(slot, columns, context);
    return this.#test(this.#looked, context) && (faultsOnly !== true || isFaulty(this.#looked.row, columns, context));
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
  /** No row is missing that is still to be looked at. */
  readonly isWhole: boolean;
  at(index: number): Row | undefined;
  slice(from: number, to: number): readonly Row[];
  indexOf(name: string): number;
}

/** A fixed list of rows. */
export function fixedRows(rows: readonly Row[], total: number): RowList {
  return {
    length: rows.length,
    total,
    isWhole: true,
    at: (index) => rows[index],
    slice: (from, to) => rows.slice(from, to),
    indexOf: (name) => rows.findIndex((row) => row.name === name),
  };
}
