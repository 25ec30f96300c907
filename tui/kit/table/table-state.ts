import { QueryError } from "../../../lib/query/query-error.js";
import type { SortField } from "../../../lib/query/tree.js";
import type { Fleet } from "../fleet/fleet.js";
import type { CellContext } from "../fleet/fleet-view.js";
import type { TuiKind } from "../kind.js";
import { hostsOf } from "../kind-table.js";
import type { Row } from "../row.js";
import type { Column } from "./column.js";
import { faultOf, type Filter, noFilter, parseFilter } from "./filter.js";
import { withHubColumn } from "./hub-column.js";
import { fixedRows, passes, type RowList, RowView, type ViewQuery } from "./row-view.js";
import type { TableScope } from "./scope.js";
import { alsoSortedBy, compareRows, type SortedColumn, sortFrom, sortingOf, sortOf, withSorted } from "./sorting.js";
import { findColumn, mostSorted, shownColumns, type TableLook } from "./table-look.js";

/** The part of a table that is on the screen. */
export interface TableWindow {
  readonly rows: readonly Row[];
  /** Place of the first of them in the list. */
  readonly top: number;
  /** Place of the cursor in the list; -1 in an empty list. */
  readonly cursor: number;
  /** Rows that pass the filter. */
  readonly matched: number;
  /** All were looked at; else there may be more. */
  readonly isWhole: boolean;
  readonly total: number;
}

/** One open table: what it is narrowed to, its order, its cursor and its marks. */
export class TableState {
  readonly kind: TuiKind;
  readonly scope: TableScope | undefined;
  readonly #fleet: Fleet;
  readonly #view: RowView | undefined;
  #query: ViewQuery;
  /** What was typed as a filter and is none, and why. */
  #typed: string | undefined;
  #fault: string | undefined;
  #cursorName: string | undefined;
  #cursorIndex = 0;
  /** Row that the cursor goes to when it comes. */
  #awaited: string | undefined;
  #top = 0;
  #height = 1;
  #marked = new Set<string>();
  #widths = new Map<string, number>();
  #widthsFor = 0;
  #look: TableLook;
  #columns: readonly Column[];
  /** Id of the column that column commands are about. */
  #columnCursor: string | undefined;
  /** The row that was marked last: ranges begin there. */
  #anchor: string | undefined;
  /** First column of a wide table behind the one that stays. */
  firstColumn = 0;

  constructor(fleet: Fleet, kind: string, scope?: TableScope, look: TableLook = {}) {
    const usual = fleet.kinds.get(kind);
    this.kind = fleet.hubs.size > 0 ? withHubColumn(usual) : usual;
    this.scope = scope;
    this.#fleet = fleet;
    this.#look = look;
    const sorting = sortOf(this.kind, look);
    this.#columns = withSorted(shownColumns(this.kind, look), sorting);
    this.#query = { filter: noFilter, columns: this.kind.columns, ...sorting, scope: predicateOf(this.kind, scope) };
    this.#view = scope?.partOf === undefined ? new RowView(fleet.table(kind), this.#query) : undefined;
  }

  get columns(): readonly Column[] {
    return this.#columns;
  }

  get look(): TableLook {
    return this.#look;
  }

  /** Place of the column that column commands are about; -1: none was chosen. */
  get columnCursor(): number {
    return this.#columns.findIndex(({ id }) => id === this.#columnCursor);
  }

  get faultsOnly(): boolean {
    return this.#query.faultsOnly === true;
  }

  setLook(look: TableLook): void {
    this.#look = look;
    const sorting = sortOf(this.kind, look);
    this.#columns = withSorted(shownColumns(this.kind, look), sorting);
    this.#setQuery({ ...this.#query, ...sorting });
  }

  setFaultsOnly(faultsOnly: boolean): void {
    this.#setQuery({ ...this.#query, faultsOnly });
  }

  /** Chooses the column beside the one that is chosen; the first time the first on that side. */
  moveColumn(by: -1 | 1): void {
    const from = this.columnCursor;
    const next = from < 0 ? (by > 0 ? 0 : this.#columns.length - 1) : from + by;
    this.#columnCursor = this.#columns[clamp(next, 0, this.#columns.length - 1)]?.id;
  }

  /** No column is chosen any more; false when none was. */
  leaveColumns(): boolean {
    const hadOne = this.columnCursor >= 0;
    this.#columnCursor = undefined;
    return hadOne;
  }

  /** As it was typed, also while it is none. */
  get filterText(): string {
    return this.#typed ?? this.#query.filter.text;
  }

  /** Why what was typed is no filter; the one before goes on then. Undefined: it is one. */
  get filterFault(): string | undefined {
    return this.#fault;
  }

  /** What rows have to pass. */
  get filter(): Filter {
    return this.#query.filter;
  }

  /** By which columns it is sorted, the first one first. */
  get sorting(): readonly SortedColumn[] {
    return sortingOf(this.#query);
  }

  get marked(): ReadonlySet<string> {
    return this.#marked;
  }

  /** Filters, and sorts if the filter says by what. What is no filter changes nothing: {@link filterFault} says why. */
  setFilter(text: string): void {
    const columns = this.kind.columns;
    try {
      const filter = parseFilter(text, (word) => columns.some(({ id }) => id === word));
      const rows = this.scope?.partOf === undefined ? this.#fleet.rowsOf(this.kind.kind) : [];
      const fault = faultOf(filter, this.kind.kind, columns, rows);
      if (fault !== undefined) throw fault;
      [this.#typed, this.#fault] = [undefined, undefined];
      this.#setQuery({ ...this.#query, filter });
      const by = filter.query.sort.slice(0, mostSorted).map((field) => this.#sortedAs(field));
      if (by.length > 0) this.setLook({ ...this.#look, sort: sortFrom(by) });
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      const [violation] = error.violations;
      [this.#typed, this.#fault] = [text, `${error.place.from + 1}: ${violation?.description ?? error.message}`];
    }
  }

  #sortedAs({ path, descending, place }: SortField): SortedColumn {
    const word = path.join(".");
    const column =
      this.kind.columns.find(({ id }) => id === word) ??
      findColumn(this.kind, word) ??
      this.kind.columns.find(({ id }) => id.startsWith(word));
    if (column === undefined) throw new QueryError("filter", `there is no column ${word} to sort by`, place);
    return { column, descending };
  }

  /** Sorts by the column with that letter; the same letter again turns the order round. Undefined letters do nothing. */
  sortBy(letter: string): void {
    const column = this.kind.columns.find((candidate) => candidate.sortLetter === letter);
    if (column !== undefined) this.sortByColumn(column);
  }

  /** Sorts by a column; by the one that it is sorted by already the other way round. */
  sortByColumn(column: Column): void {
    this.setLook(this.lookSortedBy(column));
  }

  /** How it looks sorted by a column; by the one that it is sorted by already the other way round. */
  lookSortedBy(column: Column): TableLook {
    const same = column.id === this.#query.sortBy.id;
    const descending = same ? !this.#query.descending : (column.descending ?? false);
    return { ...this.#look, sort: { by: column.id, descending } };
  }

  /**
   * How it looks with what is the same so far sorted by one more column, in place of the last when there are {@link mostSorted}; by one that
   * it is sorted by already the other way round.
   */
  lookAlsoSortedBy(column: Column): TableLook {
    return { ...this.#look, sort: sortFrom(alsoSortedBy(this.sorting, column)) };
  }

  /** Whether a row is in the table: it is of its scope, and passes the filter. */
  isIn(row: Row, nowMs: number): boolean {
    return passes(this.#query, row, { fleet: this.#fleet, nowMs });
  }

  /** All rows, in order. */
  rows(nowMs: number): RowList {
    const context = { fleet: this.#fleet, nowMs };
    return this.#view === undefined ? this.#parts(context) : this.#view.read(context);
  }

  /** The rows that are known without much work. */
  #known(nowMs: number): RowList {
    const context = { fleet: this.#fleet, nowMs };
    return this.#view === undefined ? this.#parts(context) : this.#view.glance(context);
  }

  /** Rows from a place to before another one, as far as they are known without much work. */
  near(from: number, to: number, nowMs: number): readonly Row[] {
    return this.#known(nowMs).slice(Math.max(0, from), Math.max(0, to));
  }

  /** Does a part of the work that is left where a window was not whole; false: there is none before the next window. */
  work(): boolean {
    return this.#view?.work() === true;
  }

  /** The row under the cursor. */
  current(nowMs: number): Row | undefined {
    const rows = this.#view?.seen({ fleet: this.#fleet, nowMs }) ?? this.rows(nowMs);
    return rows.at(this.#settleCursor(rows));
  }

  /** Puts the cursor on a row, if it is there. */
  select(name: string): void {
    this.#cursorName = name;
  }

  /** Puts the cursor on a row by its line on the screen; false: there is none. */
  pick(line: number, nowMs: number): boolean {
    const row = this.#known(nowMs).at(this.#top + line);
    if (row === undefined) return false;
    this.#awaited = undefined;
    this.#cursorName = row.name;
    return true;
  }

  /** Puts the cursor on a row as soon as it is there, unless it is moved before. */
  await(name: string): void {
    this.#awaited = name;
  }

  /** Moves the cursor by rows; stops at both ends. */
  move(by: number, nowMs: number): void {
    this.#awaited = undefined;
    let rows = this.#known(nowMs);
    const to = this.#settleCursor(rows) + by;
    if (!rows.isWhole && to >= rows.length) rows = this.rows(nowMs);
    const index = clamp(to, 0, rows.length - 1);
    this.#cursorIndex = Math.max(0, index);
    this.#cursorName = rows.at(index)?.name;
  }

  /** Moves the cursor by screens. */
  page(by: number, nowMs: number): void {
    this.move(by * Math.max(1, this.#height - 1), nowMs);
  }

  /** Marks or unmarks the row under the cursor and goes to the next. */
  toggleMark(nowMs: number): void {
    const row = this.current(nowMs);
    if (row === undefined) return;
    if (!this.#marked.delete(row.name)) this.#marked.add(row.name);
    this.#anchor = row.name;
    this.move(1, nowMs);
  }

  /** Marks the rows from the one that was marked last to the one under the cursor. */
  markRange(nowMs: number): void {
    const rows = this.rows(nowMs);
    const to = this.#settleCursor(rows);
    const anchor = this.#anchor === undefined ? -1 : rows.indexOf(this.#anchor);
    const from = anchor < 0 ? to : anchor;
    for (const { name } of rows.slice(Math.min(from, to), Math.max(from, to) + 1)) this.#marked.add(name);
    this.#anchor = rows.at(to)?.name;
  }

  /** Marks what the filter shows and is not marked, and the other way round. Marks that are not shown stay. */
  invertMarks(nowMs: number): void {
    for (const name of this.#shownNames(nowMs)) if (!this.#marked.delete(name)) this.#marked.add(name);
  }

  /** Marked rows that the filter does not show. */
  hiddenMarks(nowMs: number): readonly Row[] {
    if (this.#marked.size === 0) return [];
    const rows = this.rows(nowMs);
    return this.targets(nowMs).filter(({ name }) => rows.indexOf(name) < 0);
  }

  /** Marks every row that passes the filter; with all of them marked already, none of them. Marks that are not shown stay. */
  toggleAllMarks(nowMs: number): void {
    const names = this.#shownNames(nowMs);
    const change = names.every((name) => this.#marked.has(name)) ? "delete" : "add";
    for (const name of names) this.#marked[change](name);
  }

  clearMarks(): void {
    this.#marked.clear();
  }

  /** What a command acts on: the marked rows that still exist, else the row under the cursor. */
  targets(nowMs: number): readonly Row[] {
    if (this.#marked.size > 0) {
      const { kind } = this.kind;
      return [...this.#marked].map((name) => this.#fleet.find(kind, name)).filter((row) => row !== undefined);
    }
    const row = this.current(nowMs);
    return row === undefined ? [] : [row];
  }

  /** The rows to draw on `height` lines, with the cursor among them. */
  window(height: number, nowMs: number): TableWindow {
    const rows = this.#known(nowMs);
    const cursor = this.#settleCursor(rows);
    this.#height = height;
    const lowestTop = Math.max(0, rows.length - height);
    this.#top = clamp(this.#top, Math.max(0, cursor - height + 1), Math.max(0, Math.min(cursor, lowestTop)));
    const shown = rows.slice(this.#top, this.#top + height);
    const { length: matched, total, isWhole } = rows;
    return { rows: shown, top: this.#top, cursor, matched, total, isWhole };
  }

  /** Remembers the widest content of each column, so that columns do not jump while rows change; a resize forgets it. */
  noteWidths(lineWidth: number, widths: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    if (this.#widthsFor !== lineWidth) this.#widths = new Map();
    this.#widthsFor = lineWidth;
    for (const [column, width] of widths) this.#widths.set(column, Math.max(width, this.#widths.get(column) ?? 0));
    return this.#widths;
  }

  /** The cursor stays on its row wherever that goes; when the row is gone, it stays at its place. */
  #settleCursor(rows: RowList): number {
    if (this.#awaited !== undefined && rows.indexOf(this.#awaited) >= 0) {
      this.#cursorName = this.#awaited;
      this.#awaited = undefined;
    }
    const index = this.#cursorName === undefined ? -1 : rows.indexOf(this.#cursorName);
    // Its row may be among those that were not looked at yet.
    if (index < 0 && !rows.isWhole) return clamp(this.#cursorIndex, 0, rows.length - 1);
    this.#cursorIndex = index >= 0 ? index : clamp(this.#cursorIndex, 0, rows.length - 1);
    if (index < 0) this.#cursorName = this.#cursorIndex === 0 ? undefined : rows.at(this.#cursorIndex)?.name;
    return this.#cursorIndex;
  }

  #shownNames(nowMs: number): readonly string[] {
    const rows = this.rows(nowMs);
    return rows.slice(0, rows.length).map(({ name }) => name);
  }

  #setQuery(query: ViewQuery): void {
    this.#query = query;
    this.#widths = new Map();
    this.#view?.setQuery(query);
  }

  #parts(context: CellContext): RowList {
    const rows = this.#partRows();
    const passed = rows.filter((row) => passes(this.#query, row, context));
    passed.sort((left, right) => compareRows(this.#query, [left, right], context));
    return fixedRows(passed, rows.length);
  }

  #partRows(): readonly Row[] {
    const { partOf } = this.scope ?? {};
    const whole = partOf === undefined ? undefined : this.#fleet.find(partOf.kind, partOf.name);
    if (whole === undefined) return [];
    const parts = this.#fleet.kinds.get(whole.kind).parts?.find(({ kind }) => kind === this.kind);
    return parts?.rowsOf(whole) ?? [];
  }
}

function predicateOf(kind: TuiKind, scope: TableScope | undefined): ((row: Row) => boolean) | undefined {
  const { host, about, during } = scope ?? {};
  const { log } = kind;
  if (log !== undefined && (about !== undefined || during !== undefined)) {
    return (row) => {
      const entry = log.read(row.resource);
      const isAbout = about === undefined || entry.about === about || entry.about.startsWith(`${about}/`);
      const timeMs = entry.time?.getTime() ?? 0;
      return isAbout && (during === undefined || (timeMs >= during.fromMs && timeMs < during.untilMs));
    };
  }
  return host === undefined ? undefined : (row) => hostsOf(kind, row).includes(host);
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
