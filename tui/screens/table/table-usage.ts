import { messageOf } from "../../../lib/errors.js";
import { measuredKinds } from "../../../lib/figures/subject-kind.js";
import { counted } from "../../../lib/words.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { Row } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import { figuresOf } from "../../kit/table/figure-column.js";
import { type Filter, figuresAsked } from "../../kit/table/filter.js";
import { narrowed } from "../../kit/table/narrowing.js";
import type { TableState } from "../../kit/table/table-state.js";
import { type MeasuredKind, mostRanked, type Ranked, type RankKey } from "../../kit/usage/ranking.js";
import type { Used } from "../../kit/usage/usage.js";
import { Following } from "../following.js";
import type { Program } from "../program.js";
import type { SeenFigures } from "../usage/figures-source.js";

/** Resources that are watched by name at most. */
const mostNamed = 256;
/** Whoever walks on comes to rows of which the order is known: it is asked for so many screens ahead. */
const pagesAhead = 4;
/** Rows of an order that are asked for at first. */
const fewRanked = 128;

/** What of a table is on the screen. */
export interface ShownPart {
  readonly rows: readonly Row[];
  /** Place of the first of them. */
  readonly top: number;
  readonly columns: readonly Column[];
}

/**
 * What the rows on the screen use, as long as columns of that are on it: of those rows and those around them alone. A table that is sorted by what
 * is measured is sorted by the hub, which tells of the first rows in that order; further ones come behind them, by their names. It is asked
 * whenever the table is drawn, and asks for nothing any more once the table is not on top.
 */
export class TableUsage {
  readonly #program: Program;
  readonly #table: TableState;
  readonly #isOnTop: () => boolean;
  readonly #named: Following;
  readonly #ranked: Following;
  /** By names, what those use that are watched by name. */
  #known = new Map<string, Used>();
  #watched: ReadonlySet<string> = new Set();
  readonly #silentSinceMs = new Map<string, number>();
  #lostSinceMs: number | undefined;
  #first: Ranked | undefined;
  #count = fewRanked;
  /** What the order is of, but for how many rows of it. */
  #order = "";
  #asked: { readonly filter: Filter; readonly query: string; readonly figures: readonly Figure[] } | undefined;
  #trouble = "";

  constructor(program: Program, table: TableState, isOnTop: () => boolean) {
    this.#program = program;
    this.#table = table;
    this.#isOnTop = isOnTop;
    const fail = (error: unknown): void => {
      program.log.warn({ err: error }, "figures of a table cannot be watched");
      this.#trouble = messageOf(error);
      program.model.changed();
    };
    this.#named = new Following(program.signal, fail);
    this.#ranked = new Following(program.signal, fail);
  }

  /** What is wrong with the figures, for people; "": nothing is. */
  get trouble(): string {
    return this.#trouble;
  }

  /** What is to be known of the order; "": nothing is, all rows are where they belong. */
  get orderNote(): string {
    if (!this.#isRanked) return "";
    if (this.#first === undefined) return this.#trouble === "" ? "waiting for figures" : "";
    const { rows, total } = this.#first;
    return rows.length >= mostRanked && total > rows.length ? `the first ${counted(rows.length, "row")} in order` : "";
  }

  /** The table is being drawn. */
  follow(part: ShownPart): void {
    const kind = this.#kind;
    if (kind === undefined) return;
    const sorted = this.#isRanked ? this.#table.sorting.map(({ column }) => column) : [];
    const { figures: compared } = this.#askedBy(kind);
    const figures = [...new Set([...figuresOf([...part.columns, ...sorted]), ...compared])];
    if (this.#isRanked) this.#rank(kind, figures, part);
    else this.#leaveOrder();
    this.#name(figuresOf(part.columns), part);
  }

  /** Asks for nothing any more. */
  leave(): void {
    this.#named.end();
    this.#ranked.end();
  }

  /** The table is gone. */
  close(): void {
    this.leave();
    this.#leaveOrder();
    this.#program.model.fleet.usage.show(new Map());
  }

  get #kind(): MeasuredKind | undefined {
    return measuredKinds.find((kind) => kind === this.#table.kind.kind);
  }

  /** Whether it is sorted by what is measured first of all, or has only what the hub finds by it. */
  get #isRanked(): boolean {
    if (this.#table.sorting[0]?.column.figure !== undefined) return true;
    return this.#kind !== undefined && this.#askedBy(this.#kind).figures.length > 0;
  }

  /** What the filter asks the hub for, and of what is measured. */
  #askedBy(kind: MeasuredKind): { readonly query: string; readonly figures: readonly Figure[] } {
    const { filter, kind: shown } = this.#table;
    if (filter !== this.#asked?.filter)
      this.#asked = { filter, query: narrowed(kind, shown.columns, filter), figures: figuresAsked(filter, kind) };
    return this.#asked;
  }

  #rank(kind: MeasuredKind, figures: readonly Figure[], { rows, top }: ShownPart): void {
    const { model } = this.#program;
    const { sorting, scope } = this.#table;
    const { query, figures: compared } = this.#askedBy(kind);
    const order: RankKey[] = [];
    for (const { column, descending } of sorting) {
      if (column.figure === undefined) break;
      order.push({ figure: column.figure, descending });
    }
    if (order.length === 0) order.push({ figure: compared[0], descending: true });
    const parent = scope?.host === undefined ? "" : `hosts/${scope.host}`;
    const common = { kind, parent, query, text: "", order, figures, anchor: "", from: 0 };
    const key = JSON.stringify(common);
    // Of what passes by what is measured nothing is in the table that was not told of.
    if (key !== this.#order) [this.#order, this.#count] = [key, compared.length > 0 ? mostRanked : fewRanked];
    const last = rows.at(-1);
    const by = order[0]?.figure;
    if (last !== undefined && by !== undefined && this.#hasMore(by)) {
      const isPast =
        model.fleet.usage.rankOf(last.name, by) === undefined || top + pagesAhead * rows.length > this.#count;
      if (isPast) this.#count = Math.min(mostRanked, Math.max(2 * this.#count, top + 2 * pagesAhead * rows.length));
    }
    const look = { ...common, count: this.#count };
    const begin = (signal: AbortSignal): Promise<void> =>
      this.#program.figures.watchRanked(look, (ranked) => this.#take(ranked, signal), signal);
    this.#ranked.want(JSON.stringify(look), begin, { isUrgent: this.#count > fewRanked });
  }

  /** Whether more rows are measured than those that were told of. */
  #hasMore(by: Figure): boolean {
    const { rows = [], total = 0 } = this.#first ?? {};
    return rows.length >= this.#count && total > rows.length && rows.at(-1)?.values.has(by) === true;
  }

  #take(ranked: Ranked, signal: AbortSignal): void {
    if (signal.aborted || this.#isLeft()) return;
    const { model } = this.#program;
    this.#first = ranked;
    this.#note(ranked.trouble, ranked.trouble !== "");
    const oldSinceMs = this.#lostSinceMs;
    model.fleet.rank(
      this.#table.kind.kind,
      new Map(ranked.rows.flatMap(({ name, values }) => (values.size === 0 ? [] : [[name, { values, oldSinceMs }]]))),
    );
    model.changed();
  }

  #leaveOrder(): void {
    if (this.#order === "") return;
    this.#order = "";
    this.#first = undefined;
    this.#ranked.end();
    this.#program.model.fleet.rank(this.#table.kind.kind, new Map());
  }

  /** Watches those rows by name of which the order does not tell. */
  #name(figures: readonly Figure[], { rows, top }: ShownPart): void {
    const { usage } = this.#program.model.fleet;
    const isTold = ({ name }: Row): boolean => figures.some((figure) => usage.rankOf(name, figure) !== undefined);
    const missing = figures.length === 0 ? [] : rows.filter((row) => !isTold(row)).map(({ name }) => name);
    if (missing.length === 0) {
      this.#named.end();
      return;
    }
    const head = `${figures.join()} `;
    if (this.#named.key.startsWith(head) && missing.every((name) => this.#watched.has(name))) return;
    // Those around them are known when one goes there.
    const around = this.#isRanked
      ? []
      : this.#table.near(top - rows.length, top + 2 * rows.length, this.#program.model.nowMs).map(({ name }) => name);
    const names = [...new Set([...missing, ...around])].slice(0, mostNamed);
    this.#watched = new Set(names);
    this.#named.want(`${head}${names.join()}`, (signal) => {
      this.#known = new Map([...this.#known].filter(([name]) => this.#watched.has(name)));
      return this.#program.figures.watch({ names, figures }, (seen) => this.#show(seen, signal), signal);
    });
  }

  #show({ all, hosts, trouble, isLost }: SeenFigures, signal: AbortSignal): void {
    if (signal.aborted || this.#isLeft()) return;
    const { model } = this.#program;
    // Of a host that does not answer its row tells.
    this.#note(isLost ? trouble : "", isLost);
    for (const [host, { silent }] of hosts) {
      if (silent === "") this.#silentSinceMs.delete(host);
      else if (!this.#silentSinceMs.has(host)) this.#silentSinceMs.set(host, model.nowMs);
    }
    const told = new Map<string, Used>();
    for (const { name, host, values } of all) {
      // Of ends the most, as everywhere.
      const before = told.get(name)?.values;
      const oldSinceMs = this.#lostSinceMs ?? this.#silentSinceMs.get(host);
      told.set(name, { values: before === undefined ? values : mostOf(before, values), oldSinceMs });
    }
    // What was known before this watch began is so until the host has told.
    const isOpen = (name: string): boolean => isLost || !hosts.has(name.split("/").slice(0, 2).join("/"));
    for (const [name, used] of this.#known) if (!told.has(name) && isOpen(name)) told.set(name, used);
    this.#known = told;
    model.fleet.usage.show(told);
    model.changed();
  }

  #note(trouble: string, isLost: boolean): void {
    this.#trouble = trouble;
    this.#lostSinceMs = isLost ? (this.#lostSinceMs ?? this.#program.model.nowMs) : undefined;
  }

  /** Whoever is not on top asks for nothing; it does again when it is drawn. */
  #isLeft(): boolean {
    if (this.#isOnTop()) return false;
    this.leave();
    return true;
  }
}

function mostOf(left: ReadonlyMap<Figure, number>, right: ReadonlyMap<Figure, number>): ReadonlyMap<Figure, number> {
  return new Map([
    ...left,
    ...[...right].map(([figure, value]) => [figure, Math.max(value, left.get(figure) ?? value)] as const),
  ]);
}
