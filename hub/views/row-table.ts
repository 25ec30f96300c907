import type { NamedMessage } from "../../lib/kinds/codecs.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import type { Facts } from "../../lib/query/facts.js";
import { findQueryField, type QueryField, stateReader } from "../../lib/query/query-field.js";
import type { Kept } from "../../lib/watch/kept.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";
import type { Work } from "../kit/turns.js";
import { type ColumnLease, type LeasedColumn, tooMany } from "./column-lease.js";

/** A resource as queries see it: values of the columns that any of them asks for. */
export interface Row {
  readonly table: RowTable;
  readonly name: string;
  kept: Kept;
  /** By number of the column. */
  readonly cells: unknown[];
  /** Word of its state. */
  state: string;
  /** Of the log, when it changed last; no later than that for what was there before. */
  revision: bigint;
  isGone: boolean;
}

interface Column extends LeasedColumn {
  readonly field: QueryField;
  /** The table has it whether or not anybody reads it. */
  readonly isUsual: boolean;
  /** Whether all rows have its values. */
  isFilled: boolean;
  /** Rows by value, where that was asked for. */
  index: Map<unknown, Set<Row>> | undefined;
}

const mostColumns = 256;
const stride = 16;
/** A table has these anyway: of most queries nothing needs to be read again. */
const usualColumns = ["name", "host", "kind", "text", "state", "age", "mem", "cpus", "label", "labels", "lan"];
/** What the clock moves is kept as it is at the beginning of time: it grows with it. */
const beginning = (facts: Facts): Facts => ({
  nowMs: () => 0,
  figure: (name, figure) => facts.figure(name, figure),
  links: (name) => facts.links(name),
});

/**
 * The rows of a kind, with what queries ask of them in columns: a resource is decoded once, however many queries look at it, and not again while
 * it does not change. It is filled in parts, and follows the log from then on.
 */
export class RowTable {
  readonly kind: string;
  readonly rows = new Map<string, Row>();
  /** Called for each row that has changed, come or gone. */
  readonly observers = new Set<(row: Row) => void>();
  readonly #log: WatchLog;
  readonly #facts: Facts;
  readonly #still: Facts;
  /** A place is undefined once its column was forgotten. */
  readonly #columns: (Column | undefined)[] = [];
  readonly #byText = new Map<string, number>();
  readonly #stateOf: (resource: unknown) => string;
  readonly #stop: () => void;
  #filling: Promise<unknown> = Promise.resolve();
  #isLoaded = false;
  #swept: IterableIterator<Row> | undefined;

  constructor(log: WatchLog, kind: string, facts: Facts) {
    this.kind = kind;
    this.#log = log;
    this.#facts = facts;
    this.#still = beginning(facts);
    this.#stateOf = stateReader(kind);
    this.#stop = log.observe(kind, {
      changed: ({ value }) => this.#changed(value),
      removed: ({ name }) => this.#removed(name),
    });
    for (const word of usualColumns) this.#usual(word);
  }

  /** Whether all rows have all values that were bound. */
  get isReady(): boolean {
    return this.#isLoaded && this.#columns.every((column) => column?.isFilled !== false);
  }

  /** Number of the column of a field, which stays as long as it is leased; {@link fill} it before it is read. @throws {ZorError} RESOURCE_EXHAUSTED for too many. */
  #columnOf(field: QueryField, lease: ColumnLease): number {
    const known = this.findColumn(field);
    if (known === undefined) lease.check(this.#asked());
    const at = known ?? this.#place(field, false);
    const column = this.#columns[at];
    if (column?.isUsual === false) lease.take(column, this.#asked());
    return at;
  }

  /** Number of the column of a field, where somebody has asked for it. */
  findColumn({ text }: QueryField): number | undefined {
    return this.#byText.get(text);
  }

  /** What reads a field of a row, while it is leased. @throws {ZorError} RESOURCE_EXHAUSTED for too many. */
  bind(field: QueryField, lease: ColumnLease): (row: Row) => unknown {
    const at = this.#columnOf(field, lease);
    if (field.source !== "clock") return (row) => row.cells[at];
    return (row) => {
      const cell = row.cells[at];
      return typeof cell === "number" ? cell + this.#facts.nowMs() : undefined;
    };
  }

  /** What a row is sorted by: as {@link bind}, without the clock, which moves all alike. */
  bindStill(field: QueryField, lease: ColumnLease): (row: Row) => unknown {
    const at = this.#columnOf(field, lease);
    return (row) => row.cells[at];
  }

  /** Forgets columns that nobody has read since then: each costs something whenever a row changes. */
  forgetIdle(beforeMs: number): void {
    for (const [at, column] of this.#columns.entries()) {
      if (column !== undefined && isIdle(column) && column.leftMs < beforeMs) this.#vacate(at);
    }
  }

  /** Rows that have a value, by value; built when it is asked for and kept current. The column is filled. */
  indexOf(column: number): ReadonlyMap<unknown, ReadonlySet<Row>> {
    const found = this.#columns[column];
    if (found === undefined) throw new Error(`there is no column ${column}`);
    if (found.index === undefined) {
      found.index = new Map();
      for (const row of this.rows.values()) fileUnder(found.index, row.cells[column], row);
    }
    return found.index;
  }

  /** Reads what is missing. One at a time. */
  async fill(run: (work: Work<void>) => Promise<void>): Promise<void> {
    const before = this.#filling;
    const next = before.catch(() => undefined).then(() => (this.isReady ? undefined : run(this.#fill())));
    this.#filling = next;
    await next;
  }

  /** What is measured of a resource has changed. */
  measured(name: string): void {
    const row = this.rows.get(name);
    if (row !== undefined && this.#reread(row, "figures")) this.#tell(row);
  }

  /** Looks again at so many rows of which something depends on the clock or on links; each has its turn. */
  sweep(most: number): void {
    const fields = this.#columns.flatMap((column) => column?.field ?? []);
    const sources = new Set(fields.map(({ source }) => source));
    const hasLinks = fields.some(({ source, text }) => source === "links" && text.startsWith("link."));
    if (!sources.has("clock") && !hasLinks) return;
    for (let left = most; left > 0; left -= 1) {
      this.#swept ??= this.rows.values();
      const { value: row, done } = this.#swept.next();
      if (done === true || row === undefined) {
        this.#swept = undefined;
        return;
      }
      if (hasLinks) this.#reread(row, "links");
      this.#tell(row);
    }
  }

  close(): void {
    this.#stop();
    this.observers.clear();
    this.rows.clear();
  }

  #usual(word: string): void {
    try {
      this.#place(findQueryField("query", kindNamed(this.kind).type, [word]), true);
    } catch {
      // Not every kind has all of them.
    }
  }

  /** Makes a column, in the place of the one that was let go of first when there is no other. */
  #place(field: QueryField, isUsual: boolean): number {
    if (this.#columns.length >= mostColumns && !this.#columns.includes(undefined)) {
      const idle = this.#columns.flatMap((column, at) =>
        column !== undefined && isIdle(column) ? { at, leftMs: column.leftMs } : [],
      );
      const [first] = idle.sort((a, b) => a.leftMs - b.leftMs);
      if (first === undefined) throw tooMany("views and queries", mostColumns);
      this.#vacate(first.at);
    }
    const vacant = this.#columns.indexOf(undefined);
    const at = vacant === -1 ? this.#columns.length : vacant;
    const leases = new Set<ColumnLease>();
    this.#columns[at] = { field, isUsual, isFilled: false, index: undefined, leases, leftMs: performance.now() };
    this.#byText.set(field.text, at);
    return at;
  }

  /** Columns that are there for queries alone. */
  #asked(): readonly Column[] {
    return this.#columns.flatMap((column) => (column?.isUsual === false ? column : []));
  }

  #vacate(at: number): void {
    const column = this.#columns[at];
    if (column === undefined) return;
    this.#byText.delete(column.field.text);
    this.#columns[at] = undefined;
    for (const { cells } of this.rows.values()) cells[at] = undefined;
  }

  *#fill(): Work<void> {
    const missing = [...this.#columns.entries()].filter(([, column]) => column?.isFilled === false);
    const isFirst = !this.#isLoaded;
    const index = this.#log.index(this.kind);
    const all = isFirst ? [...index.all("")] : [...this.rows.values()].map(({ kept }) => kept);
    let seen = 0;
    for (const kept of all) {
      seen += 1;
      if (seen % stride === 0) yield;
      // What changed meanwhile was told.
      if (index.get(kept.name) !== kept) continue;
      const known = this.rows.get(kept.name);
      if (isFirst && known !== undefined) continue;
      const { value } = kept;
      if (known === undefined) this.#make(kept, value);
      else for (const [at] of missing) this.#set(known, at, value);
    }
    // One that has come meanwhile in the place of another is not.
    for (const [, column] of missing) if (column !== undefined) column.isFilled = true;
    this.#isLoaded = true;
  }

  #make(kept: Kept, value: NamedMessage): Row {
    const row: Row = {
      ...{ table: this, name: kept.name, kept, cells: new Array<unknown>(this.#columns.length).fill(undefined) },
      ...{ state: "", revision: this.#log.revision, isGone: false },
    };
    this.rows.set(kept.name, row);
    this.#read(row, value);
    return row;
  }

  #changed(value: NamedMessage): void {
    const kept = this.#log.index(this.kind).get(value.name);
    if (kept === undefined) return;
    const row = this.rows.get(value.name);
    if (row === undefined) this.#tell(this.#make(kept, value));
    else {
      row.kept = kept;
      row.revision = this.#log.revision;
      this.#read(row, value);
      this.#tell(row);
    }
  }

  #removed(name: string): void {
    const row = this.rows.get(name);
    if (row === undefined) return;
    this.rows.delete(name);
    row.isGone = true;
    for (const [at, column] of this.#columns.entries()) {
      if (column?.index !== undefined) takeFrom(column.index, row.cells[at], row);
    }
    this.#tell(row);
  }

  #read(row: Row, value: NamedMessage): void {
    row.state = this.#stateOf(value);
    for (let at = 0; at < this.#columns.length; at += 1) this.#set(row, at, value);
  }

  #set(row: Row, at: number, value: NamedMessage): void {
    const column = this.#columns[at];
    if (column === undefined) return;
    const next = column.field.read(value, this.#still);
    const before = row.cells[at];
    row.cells[at] = next;
    if (column.index === undefined || before === next) return;
    takeFrom(column.index, before, row);
    fileUnder(column.index, next, row);
  }

  /** Reads again what comes from elsewhere; true: something is different. */
  #reread(row: Row, source: QueryField["source"]): boolean {
    let isOther = false;
    let value: NamedMessage | undefined;
    for (const [at, column] of this.#columns.entries()) {
      if (column?.field.source !== source) continue;
      const { field } = column;
      // Of figures only the name is looked at.
      value ??= source === "figures" ? { name: row.name } : row.kept.value;
      const next = field.read(value, this.#still);
      if (isSame(next, row.cells[at])) continue;
      row.cells[at] = next;
      isOther = true;
    }
    return isOther;
  }

  #tell(row: Row): void {
    for (const observer of this.observers) observer(row);
  }
}

function isIdle({ isUsual, leases }: Column): boolean {
  return !isUsual && leases.size === 0;
}

function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  return (
    Array.isArray(left) &&
    Array.isArray(right) &&
    left.length === right.length &&
    left.every((each, at) => each === right[at])
  );
}

function keysOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function fileUnder(index: Map<unknown, Set<Row>>, value: unknown, row: Row): void {
  for (const key of keysOf(value)) {
    const rows = index.get(key);
    if (rows === undefined) index.set(key, new Set([row]));
    else rows.add(row);
  }
}

function takeFrom(index: Map<unknown, Set<Row>>, value: unknown, row: Row): void {
  for (const key of keysOf(value)) {
    const rows = index.get(key);
    rows?.delete(row);
    if (rows?.size === 0) index.delete(key);
  }
}
