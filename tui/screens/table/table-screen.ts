import { messageOf } from "../../../lib/errors.js";
import { askText } from "../../kit/ask-text.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { pluralOf } from "../../kit/kind-table.js";
import type { Row } from "../../kit/row.js";
import type { Body, MoreKeys, Screen } from "../../kit/screen.js";
import { listedColumns, rowWords } from "../../kit/spoken/row-words.js";
import type { Spoken } from "../../kit/spoken/spoken.js";
import type { Column } from "../../kit/table/column.js";
import { filterCompleter } from "../../kit/table/complete-filter.js";
import type { Layout } from "../../kit/table/layout.js";
import type { TableScope } from "../../kit/table/scope.js";
import { drawTable, gutter } from "../../kit/table/table-frame.js";
import type { TableLook } from "../../kit/table/table-look.js";
import { TableState } from "../../kit/table/table-state.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line, Segment } from "../../kit/text/segment.js";
import type { SavedView } from "../../settings/settings-files.js";
import { showDetails } from "../detail/detail-screen.js";
import { back, moveCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";
import { columnCommands } from "./column-commands.js";
import { emptyLines } from "./empty-lines.js";
import { TableUsage } from "./table-usage.js";

/** A table that was kept under a name. */
export interface TableView extends SavedView {
  readonly name: string;
}

/** How a table is opened. */
export interface TableBeginning {
  readonly filter?: string;
  readonly view?: TableView;
}

/** The table of a kind, whole or narrowed. */
export class TableScreen implements Screen {
  readonly table: TableState;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #view: TableView | undefined;
  #widths: ReadonlyMap<string, number> = new Map();
  #layout: Layout = { columns: [], gap: 0 };
  readonly #usage: TableUsage;
  #seenSettings: number;
  #working: NodeJS.Immediate | undefined;

  constructor(program: Program, kind: string, scope?: TableScope, { filter = "", view }: TableBeginning = {}) {
    this.#program = program;
    this.#view = view;
    this.#seenSettings = program.settings.version;
    this.table = new TableState(
      program.model.fleet,
      kind,
      scope,
      view === undefined ? this.#lookOf(kind) : lookOf(view),
    );
    this.#usage = new TableUsage(program, this.table, () => program.model.screen === this);
    if (filter !== "") this.table.setFilter(filter);
    if (view?.faults === true) this.table.setFaultsOnly(true);
    this.commands = this.#makeCommands();
  }

  widthOf(id: string): number {
    return this.#widths.get(id) ?? 0;
  }

  /** The look of a view is the view's; others are kept for their kind. */
  keepLook(look: TableLook): void {
    const { settings, model, log } = this.#program;
    this.table.setLook(look);
    if (this.#view !== undefined) return;
    const { kind } = this.table.kind;
    const isUsual = Object.keys(look).length === 0;
    settings.put("tables", [kind], isUsual ? undefined : withoutUnset(look)).catch((error: unknown) => {
      log.warn({ err: error }, "the look of a table cannot be kept");
      model.say(`the look of the table is not kept: ${messageOf(error)}`, "warn");
      model.changed();
    });
    this.#seenSettings = settings.version;
  }

  #lookOf(kind: string): TableLook {
    const { tables } = this.#program.settings.values;
    return (Object.hasOwn(tables, kind) ? tables[kind] : undefined) ?? {};
  }

  /** Somebody has written the files meanwhile. */
  #followSettings(): void {
    const { version } = this.#program.settings;
    if (version === this.#seenSettings) return;
    this.#seenSettings = version;
    const look = this.#lookOf(this.table.kind.kind);
    if (this.#view === undefined && look !== this.table.look) this.table.setLook(look);
  }

  get kind(): TuiKind {
    return this.table.kind;
  }

  title(): string {
    const { scope, kind } = this.table;
    if (this.#view !== undefined) return `${this.#view.name}: ${pluralOf(kind)}`;
    return scope === undefined ? pluralOf(kind) : `${pluralOf(kind)}(${scope.title})`;
  }

  draw(width: number, height: number): Body {
    const { fleet, nowMs } = this.#program.model;
    this.#followSettings();
    const { header, rows, window, cutText, layout } = drawTable(this.table, fleet, { width, height, nowMs });
    this.#layout = layout;
    this.#widths = new Map(layout.columns.map(({ column, width: cells }) => [column.id, cells]));
    const { top, matched, total, isWhole } = window;
    const told = this.#program.model.session.isPlain === true ? this.#saidColumns() : columnsIn(layout);
    this.#usage.follow({ rows: window.rows, top, columns: told });
    if (!isWhole) this.#goOn();
    const facts = this.#facts(isWhole ? `${matched}` : `${matched}…`, total);
    // As long as nobody knows which rows pass there are those that did so far.
    const isOpen = this.table.filterText === "" && !this.table.faultsOnly;
    const length = isWhole || !isOpen ? matched : Math.max(matched, total);
    const body = { extent: { top, shown: rows.length, length }, facts };
    if (rows.length > 0 || !isWhole)
      return { ...body, lines: [{ line: header }, ...rows], aside: cutText || this.#usage.trouble };
    const empty = emptyLines(this.#program.model, this.table, width).slice(0, height);
    return { ...body, lines: empty.map((line) => ({ line })) };
  }

  say(): Spoken {
    const { context } = this.#program.model;
    this.#followSettings();
    const { table } = this;
    const rows = table.rows(context.nowMs);
    const columns = this.#saidColumns();
    return {
      length: rows.length,
      lines: (from, count) =>
        rows.slice(from, from + count).map((row) => ({
          text: `${table.marked.has(row.name) ? "marked, " : ""}${rowWords(this.kind, columns, row, context)}`,
          name: row.name,
          pick: () => table.select(row.name),
        })),
    };
  }

  /** The columns that are read aloud. */
  #saidColumns(): readonly Column[] {
    const { look, columns } = this.table;
    return look.wide === true || this.kind.log !== undefined ? columns : listedColumns(columns);
  }

  /** Looks at the rows that are left, with room for keys in between. */
  #goOn(): void {
    this.#working ??= setImmediate(() => {
      this.#working = undefined;
      const { model, signal } = this.#program;
      if (signal.aborted || model.screen !== this) return;
      if (this.table.work()) this.#goOn();
      model.changed();
    });
  }

  /** The titles sort, a row is gone to, and opened by a second press. */
  click({
    column,
    line,
    isDouble,
  }: {
    readonly column: number;
    readonly line: number;
    readonly isDouble: boolean;
  }): void {
    if (line === 0) {
      const title = this.#titleAt(column);
      if (title !== undefined) this.keepLook(this.table.lookSortedBy(title));
      return;
    }
    if (!this.table.pick(line - 1, this.#program.model.nowMs)) return;
    if (isDouble) this.#open();
  }

  #titleAt(column: number): Column | undefined {
    let from = gutter;
    for (const { column: placed, width } of this.#layout.columns) {
      // What is between two titles is the first one's.
      if (column >= from && column < from + width + this.#layout.gap) return placed;
      from += width + this.#layout.gap;
    }
    return undefined;
  }

  line(): string | undefined {
    const { scope, filterText, kind } = this.table;
    if (this.#view !== undefined) return `view ${this.#view.name}`;
    if (scope?.about !== undefined || scope?.partOf !== undefined) return undefined;
    const host = scope?.host === undefined ? "" : ` ${scope.host}`;
    return `${pluralOf(kind)}${host}${filterText === "" ? "" : ` /${filterText}`}`;
  }

  subject(): Row | undefined {
    return this.table.current(this.#program.model.nowMs);
  }

  targets(): readonly Row[] {
    return this.table.targets(this.#program.model.nowMs);
  }

  goTo(kind: string, name: string): boolean {
    if (kind !== this.kind.kind) return false;
    this.table.await(name);
    return true;
  }

  closed(): void {
    this.#usage.close();
  }

  /** What is on it is asked for when it is drawn. */
  again(): Screen {
    return this;
  }

  back(): boolean {
    if (this.table.leaveColumns()) return true;
    if (this.table.marked.size > 0) this.table.clearMarks();
    else if (this.table.faultsOnly) this.table.setFaultsOnly(false);
    else if (this.table.filterText !== "") this.table.setFilter("");
    else return false;
    return true;
  }

  unseen(): readonly Row[] {
    return this.table.hiddenMarks(this.#program.model.nowMs);
  }

  acted(): void {
    this.table.clearMarks();
  }

  /** Upper-case letters sort. */
  press(chord: string): void {
    if (!/^[A-Z]$/.test(chord)) return;
    const before = this.table.look;
    this.table.sortBy(chord);
    if (this.table.look !== before) this.keepLook(this.table.look);
  }

  moreKeys(width: number): readonly MoreKeys[] {
    const lines: string[] = [];
    for (const { sortLetter, title } of this.table.columns) {
      if (sortLetter === undefined) continue;
      const key = `${sortLetter} ${title.toLowerCase()}`;
      const last = lines.at(-1);
      if (last !== undefined && last.length + key.length + 3 <= width) lines[lines.length - 1] = `${last}   ${key}`;
      else lines.push(key);
    }
    const title = "sort by that column, the same again turns round:";
    return [{ keys: "shift letter", title }, ...lines.map((line) => ({ keys: "", title: line }))];
  }

  /** How many rows there are, what they are filtered by, and how many are marked. */
  #facts(matched: string, total: number): Line {
    const { filterText, filterFault, marked, faultsOnly } = this.table;
    const count = filterText === "" && !faultsOnly ? `${total}` : `${matched} of ${total}`;
    const line: Segment[] = [{ text: ` ${count}`, tone: "strong" }];
    if (filterText !== "") line.push({ text: ` /${plainText(filterText)}`, tone: "warn" });
    if (filterFault !== undefined) line.push({ text: ` ${plainText(filterFault)}`, tone: "bad" });
    if (faultsOnly) line.push({ text: " ! faults only", tone: "warn" });
    const { orderNote } = this.#usage;
    if (orderNote !== "") line.push({ text: ` ${orderNote}`, tone: "dim" });
    const hidden = this.unseen().length;
    if (marked.size > 0)
      line.push({ text: ` ${marked.size} marked${hidden === 0 ? "" : `, ${hidden} of them not shown`}`, tone: "warn" });
    return line;
  }

  #makeCommands(): readonly Command[] {
    const { table } = this;
    const { model } = this.#program;
    // Marks are for what can be acted on.
    const isMarkable = () => this.kind.actions.length > 0;
    const mark = (how: () => void) => (): void => {
      if (rowHere(model, "mark") !== undefined) how();
    };
    return [
      ...moveCommands({
        move: (by) => table.move(by, model.nowMs),
        page: (by) => table.page(by, model.nowMs),
      }),
      {
        id: "open",
        keys: ["enter"],
        title: "open: a host's instances, a lan's ports, else the details",
        group: "Look",
        hint: { word: "open", rank: 1 },
        run: () => this.#open(),
      },
      // On a table there are more useful things to say in the footer than how to leave it.
      { id: "back", keys: ["esc"], title: "back; first drops marks and filter", group: "Look", run: () => back(model) },
      {
        id: "filter",
        keys: ["/"],
        argument: "FILTER",
        title: "filter: words, key=value, key!=value, !word",
        group: "Look",
        hint: { word: "filter", rank: 3 },
        run: ({ argument }) => {
          const text = table.filterText;
          const complete = filterCompleter(table.kind, { fleet: model.fleet, nowMs: model.nowMs });
          const apply = (typed: string): void => table.setFilter(typed);
          askText(model, argument, { type: "filter", text, before: text, complete, apply });
        },
      },
      {
        id: "table.mark",
        keys: ["space"],
        title: "mark; marked rows are acted on together",
        group: "Act",
        hint: { word: "mark", rank: 9 },
        when: isMarkable,
        run: mark(() => table.toggleMark(model.nowMs)),
      },
      {
        id: "table.mark-all",
        keys: ["ctrl-a"],
        title: "mark all rows the filter shows, or none",
        group: "Act",
        when: isMarkable,
        run: mark(() => table.toggleAllMarks(model.nowMs)),
      },
      {
        id: "table.mark-range",
        keys: ["ctrl-v"],
        title: "mark all rows from the last mark to here",
        group: "Act",
        when: isMarkable,
        run: mark(() => table.markRange(model.nowMs)),
      },
      {
        id: "table.mark-others",
        keys: ["*"],
        title: "mark what is not marked, and the other way round",
        group: "Act",
        when: isMarkable,
        run: mark(() => table.invertMarks(model.nowMs)),
      },
      {
        id: "table.faults",
        keys: ["!"],
        words: ["faults"],
        title: "faults only: rows that warn or are broken; or all",
        group: "Look",
        run: () => table.setFaultsOnly(!table.faultsOnly),
      },
      ...columnCommands(this.#program, this),
    ];
  }

  /** The table that the row leads to, else its details. */
  #open(): void {
    const row = this.subject();
    const opening = row === undefined ? undefined : this.kind.open?.(row);
    if (opening === undefined) showDetails(this.#program, false);
    else this.#program.model.push(new TableScreen(this.#program, opening.kind, opening.scope));
  }
}

function columnsIn({ columns }: Layout): readonly Column[] {
  return columns.map(({ column }) => column);
}

function lookOf({ columns, widths, sort, wide }: SavedView): TableLook {
  return { columns, widths, sort, wide };
}

function withoutUnset(look: TableLook): object {
  return Object.fromEntries(Object.entries(look).filter(([, value]) => value !== undefined));
}
