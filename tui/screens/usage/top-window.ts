import { messageOf } from "../../../lib/errors.js";
import type { Watched } from "../../../lib/figures/decoder.js";
import type { Consumer } from "../../kit/busy/busy.js";
import { topRow, type TopOrder, type TopRow, type TopView } from "../../kit/top/views.js";
import { mostRanked, type Ranked, ranksInOrder, type RankKey, type RankLook } from "../../kit/usage/ranking.js";
import type { Program } from "../program.js";
import { Following } from "../following.js";
import type { SeenFigures } from "./figures-source.js";

/** So many rows are asked for at least: one who walks on finds some. */
const leastAsked = 64;

/** A line of the list: a resource, or one of the ends of a link or wire. */
export interface TopLine {
  /** Full name of the resource. */
  readonly resource: string;
  /** Which of its lines it is. */
  readonly end: number;
  readonly row: TopRow;
}

/** What of the list is on the screen. */
export interface TopPlace {
  /** Place of the first line. */
  readonly top: number;
  readonly height: number;
  /** The resource that the cursor is on; "": none. */
  readonly chosen: string;
}

/**
 * A window over what is used by all of a kind, in the order that the hub keeps: only what is around what is shown is asked for. Links and wires have
 * a line for each end.
 */
export class TopWindow {
  readonly #program: Program;
  readonly #onNews: () => void;
  readonly #ranked: Following;
  readonly #named: Following;
  #view: TopView | undefined;
  #ranking: Ranked | undefined;
  #look: RankLook | undefined;
  #missing = "";
  #ends = new Map<string, readonly Watched[]>();
  /** What is wrong, for people; "": nothing is. */
  trouble = "";
  /** Local time of the last news; undefined: nothing was heard of it. */
  heardAtMs: number | undefined;

  /** @param onNews something is different. @param signal it is over. */
  constructor(program: Program, onNews: () => void, signal: AbortSignal) {
    this.#program = program;
    this.#onNews = onNews;
    const fail = (error: unknown): void => {
      program.log.warn({ err: error }, "figures cannot be watched");
      this.trouble = messageOf(error);
      onNews();
    };
    const ending = AbortSignal.any([program.signal, signal]);
    this.#ranked = new Following(ending, fail);
    this.#named = new Following(ending, fail);
  }

  /** How many resources there are. */
  get total(): number {
    return this.#ranking?.total ?? 0;
  }

  /** How many lines there are. */
  get length(): number {
    return this.total * this.#perRow;
  }

  /** A line by its place; undefined: it has not been told of yet. */
  at(index: number): TopLine | undefined {
    const [per, ranking, look] = [this.#perRow, this.#ranking, this.#look];
    const found = ranking?.rows[Math.floor(index / per) - ranking.from];
    if (found === undefined || look === undefined) return undefined;
    return this.#line(found, index % per);
  }

  /** Place of a line; -1: it is not in the window. */
  indexOf(resource: string, end: number): number {
    const at = this.#ranking?.rows.findIndex(({ name }) => name === resource) ?? -1;
    return at < 0 ? -1 : ((this.#ranking?.from ?? 0) + at) * this.#perRow + end;
  }

  /** Whether a resource was looked for in the whole list, and is not in it. */
  isMissing(resource: string): boolean {
    return this.#missing !== "" && this.#missing === resource;
  }

  /** Another list: what was told is of another one. */
  forget(): void {
    [this.#ranking, this.#look, this.heardAtMs] = [undefined, undefined, undefined];
  }

  /** Asks for what is on the screen, and what is around it. */
  follow(view: TopView, order: TopOrder, place: TopPlace): void {
    if (view.kind === undefined) return;
    this.#view = view;
    const wanted = this.#wanted(view, order, place);
    // Of what is known whole nobody waits for another order.
    if (this.#ranking !== undefined && this.#look !== undefined && !isAlike(this.#look, wanted))
      this.#ranking = ranksInOrder(this.#ranking, wanted);
    this.#look = wanted;
    this.#ranked.want(JSON.stringify(wanted), (signal) =>
      this.#program.figures.watchRanked(
        wanted,
        (ranked) => {
          if (!signal.aborted) this.#take(ranked, wanted.anchor);
        },
        signal,
      ),
    );
    this.#followEnds(view, place);
  }

  get #perRow(): number {
    return this.#view?.kind === "link" || this.#view?.kind === "wire" ? 2 : 1;
  }

  #wanted(view: TopView, order: TopOrder, { top, height, chosen }: TopPlace): RankLook {
    const figures = view.columns.map(({ figure }) => figure);
    const rows = Math.ceil(height / this.#perRow);
    const count = Math.min(mostRanked, Math.max(leastAsked, 3 * rows));
    const common = { kind: view.kind ?? "instance", parent: "", query: "", text: order.filter, figures, count };
    const keys = order.order.map(({ title, isReversed }): RankKey => {
      const figure = view.columns.find((column) => column.title === title)?.figure;
      return { figure, descending: (figure === undefined) === isReversed };
    });
    const first = Math.floor(top / this.#perRow);
    const fixed: RankLook = { ...common, order: keys, anchor: "", from: Math.max(0, first - rows) };
    // What the cursor is on has gone where nothing was told of: the window goes after it.
    if (chosen !== "" && !this.isMissing(chosen) && this.#ranking !== undefined && this.indexOf(chosen, 0) < 0)
      return { ...fixed, anchor: chosen, from: -rows };
    const before = this.#look;
    if (before === undefined || !isAlike(before, fixed)) return fixed;
    const { from = 0, rows: told = [], total = 0 } = this.#ranking ?? {};
    const isTold = first >= from && Math.min(first + rows, total) <= from + told.length;
    return isTold ? before : fixed;
  }

  /** Which ends there are, and what passes them, is told by what measures them. */
  #followEnds({ columns }: TopView, { top, height }: TopPlace): void {
    if (this.#perRow === 1) {
      this.#named.end();
      return;
    }
    const { from = 0, rows = [] } = this.#ranking ?? {};
    const first = Math.floor(top / this.#perRow) - from;
    const names = rows.slice(Math.max(0, first), first + Math.ceil(height / this.#perRow) + 1).map(({ name }) => name);
    if (names.length === 0) return;
    const figures = columns.map(({ figure }) => figure);
    this.#named.want(names.join(" "), (signal) =>
      this.#program.figures.watch(
        { names, figures },
        (seen) => {
          if (!signal.aborted) this.#takeEnds(seen);
        },
        signal,
      ),
    );
  }

  #take(ranked: Ranked, anchor: string): void {
    this.#ranking = ranked;
    this.#missing = ranked.rows.some(({ name }) => name === anchor) ? "" : anchor;
    this.trouble = ranked.trouble;
    // What is told while nothing answers is what was known.
    if (ranked.trouble === "" || this.heardAtMs === undefined) this.heardAtMs = this.#program.model.nowMs;
    this.#onNews();
  }

  #takeEnds({ all }: SeenFigures): void {
    const ends = Map.groupBy(all, ({ name }) => name);
    for (const [name, parts] of ends) this.#ends.set(name, parts.toSorted(byPlace));
    for (const name of this.#ends.keys()) if (!ends.has(name)) this.#ends.delete(name);
    this.#onNews();
  }

  #line({ name, values }: Consumer, end: number): TopLine {
    const view = this.#view;
    if (view === undefined) throw new Error("nothing was asked for");
    const whole: Watched = { host: "", name, part: "", values: new Map(values) };
    if (this.#perRow === 1) return { resource: name, end, row: topRow(whole, view) };
    const part = this.#ends.get(name)?.[end];
    return { resource: name, end, row: topRow(part ?? { ...whole, values: new Map() }, view) };
  }
}

function byPlace(left: Watched, right: Watched): number {
  const [one, other] = [left, right].map(({ host, part }) => `${host} ${part}`);
  return (one ?? "") < (other ?? "") ? -1 : 1;
}

/** Whether they are windows over the same list. */
function isAlike(left: RankLook, right: RankLook): boolean {
  const plain = { from: 0, anchor: "" };
  return JSON.stringify({ ...left, ...plain }) === JSON.stringify({ ...right, ...plain });
}
