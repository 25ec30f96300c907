import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { resourceExhausted, ZorError } from "../../lib/errors.js";
import { timeLimit } from "../../lib/time-limit.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";
import { type ViewTotals, type WatchViewRequest, WatchViewResponse } from "../../proto/gen/zor/v1/view_service.js";
import { Turns } from "../kit/turns.js";
import { type ColumnCaller, ColumnLease } from "./column-lease.js";
import { noFigures } from "./no-figures.js";
import { Ordering, Selection } from "./ordering.js";
import { type ReadView, readView } from "./read-view.js";
import type { Row } from "./row-table.js";
import { type HeldSums, Summings, type Sums } from "./summing.js";
import { candidatesOf, type FactSource, Tables } from "./tables.js";
import { Window } from "./window.js";

/** Changes are brought in that often, all that came meanwhile together. */
const bringInMs = 50;
/** What nobody reads any more is kept for those who come back at once, such as to read another window. */
const [keepSelectionMs, keepOrderingMs] = [3000, 60_000];
const [mostViews, mostOfCaller] = [512, 64];
/** Rows that are kept in order and selected for one caller: some hundred bytes each. */
const usualMostRows = 1_500_000;
/** A reader that lets so much go by while a response waits for it is too slow. */
const [slowChanges, slowMs] = [10_000n, 60_000];
/** A sign of life when nothing changes. */
const aliveMs = 5000;

interface Shared<T> {
  readonly made: T;
  readonly ready: Promise<void>;
  /** Of the columns that it looks at. */
  readonly lease: ColumnLease;
  /** How many rows it may have, as long as it is not ready. */
  planned: number;
  users: number;
  usedMs: number;
}

/** What views need. */
export interface ViewsOptions {
  readonly log: WatchLog;
  /** Default: nothing is measured, and there are no links. */
  readonly facts?: FactSource;
  readonly turns?: Turns;
  /** Rows that are kept in order and selected for one caller. Default: 1,500,000. */
  readonly mostRows?: number;
}

/** Whoever watches a view. */
export interface ViewReader extends ColumnCaller {
  readonly signal: AbortSignal;
}

/**
 * Live windows over queries, for any number of readers: rows are kept in order for each kind and order that somebody reads, whatever is filtered,
 * and what each query selects of them is kept current change by change.
 */
export class Views {
  readonly tables: Tables;
  readonly #log: WatchLog;
  readonly #facts: FactSource;
  readonly #mostRows: number;
  readonly #orderings = new Map<string, Shared<Ordering>>();
  readonly #summings: Summings;
  readonly #selections = new Map<string, Shared<Selection> & { readonly orderKey: string }>();
  /** What lets tables go, by who uses them. */
  readonly #releases = new Map<Ordering, readonly (() => void)[]>();
  readonly #open = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #due: NodeJS.Timeout | undefined;

  constructor({ log, facts = noFigures, turns = new Turns(), mostRows = usualMostRows }: ViewsOptions) {
    this.#log = log;
    this.#mostRows = mostRows;
    this.#facts = facts;
    this.tables = new Tables(log, facts, turns);
    this.#summings = new Summings(mostRows, (caller, work) => this.tables.run(caller, work));
    this.#timer = setInterval(() => this.#forget(), 1000).unref();
  }

  /** Serves a view until the signal aborts. @throws {ZorError} INVALID_ARGUMENT, RESOURCE_EXHAUSTED for too many, or for a slow reader. */
  async *watch(request: WatchViewRequest, reader: ViewReader): AsyncGenerator<WatchViewResponse> {
    const leave = this.#enter(reader.caller);
    const lease = new ColumnLease(reader);
    try {
      const view = readView(request, this.tables, lease);
      const { figures } = view;
      const release = figures.size > 0 ? await this.#facts.hold(reader.caller, figures) : undefined;
      try {
        yield* this.#serve(view, request, reader);
      } finally {
        release?.();
      }
    } finally {
      lease.release();
      leave();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#due);
    for (const { made } of this.#orderings.values()) made.close();
    this.#orderings.clear();
    this.#selections.clear();
    this.tables.close();
  }

  async *#serve(view: ReadView, request: WatchViewRequest, reader: ViewReader): AsyncGenerator<WatchViewResponse> {
    const { signal } = reader;
    const selected = this.#selected(view, reader.caller);
    const lease = new Lease(selected);
    const { caller } = reader;
    let sums: HeldSums | undefined;
    try {
      await selected.ready;
      // Somebody else may have asked for the same rows, with other columns.
      for (const { table } of view.kinds) await this.tables.fill(table, caller);
      const selection = selected.made;
      sums = await this.#summings.hold({ view, selection, caller, rows: this.#countOf(view) });
      const window = new Window(view, this.#resumed(request));
      let [totals, offset, version, isFirst] = ["", 0, -1, true];
      while (!signal.aborted) {
        // The position that is told is one up to which everything was.
        this.#orderings.get(view.orderKey)?.made.bringIn();
        selection.check();
        const isNews = version !== selection.version;
        version = selection.version;
        const matched = Math.min(selection.size, view.limit);
        offset = placeOf(view, selection, offset, matched);
        const end = Math.min(offset + view.window.rows, matched);
        const before = window.length;
        const rows = isNews ? window.take(selection.slice(offset, end)) : [];
        const counted = this.#totals(view, selection, matched, sums.totals);
        const said = JSON.stringify(counted);
        const position = { epoch: this.#log.epoch, revision: this.#log.revision };
        const response = WatchViewResponse.fromPartial({ position, offset, length: Math.max(0, end - offset), rows });
        if (said !== totals) response.totals = counted;
        totals = said;
        // When nothing of it has changed it is a sign of life.
        if (isFirst || rows.length > 0 || response.totals !== undefined || before !== response.length || !isNews) {
          const isRead = lease.waitsFor(() => this.#log.revision - position.revision > slowChanges);
          yield response;
          if (!isRead()) throw tooSlow(position);
        }
        isFirst = false;
        await wait(view.intervalMs, signal);
        await this.#news(selection, version, signal);
      }
    } finally {
      sums?.release();
      lease.end();
    }
  }

  /** Resolves with the next change, or after a while without any. */
  async #news(selection: Selection, version: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const enough = timeLimit(aliveMs);
    await selection.changed(version, AbortSignal.any([signal, enough]));
  }

  #resumed({ position, known }: WatchViewRequest): { readonly names: readonly string[]; readonly revision: bigint } {
    const isOurs =
      position !== undefined && position.epoch === this.#log.epoch && position.revision <= this.#log.revision;
    return isOurs ? { names: known, revision: position.revision } : { names: [], revision: 0n };
  }

  #totals({ kinds, parent }: ReadView, { counts }: Selection, matched: number, sums: Sums): ViewTotals {
    const total = kinds.reduce((sum, { table }) => sum + this.#log.index(table.kind).count(parent), 0);
    const { states, kinds: byKind } = counts;
    return { matched, total, states: sortedObject(states), kinds: sortedObject(byKind), sums };
  }

  #selected(view: ReadView, caller: string): Shared<Selection> {
    const known = this.#selections.get(view.selectionKey);
    if (known !== undefined) return known;
    this.#makeRoom(view, caller);
    const ordering = this.#ordering(view, caller);
    const passesOf = new Map(view.kinds.map(({ table, passes }) => [table, passes]));
    const below = view.parent === "" ? "" : `${view.parent}/`;
    const passes = (row: Row): boolean =>
      (below === "" || row.name.startsWith(below) || row.name === view.parent) &&
      passesOf.get(row.table)?.(row) === true;
    const made = new Selection(passes);
    const ready = this.#select(view, caller, ordering, made);
    const { lease, orderKey } = view;
    const planned = this.#countOf(view);
    const shared = { made, ready, lease, planned, users: 0, usedMs: performance.now(), orderKey };
    lease.hold();
    ordering.users += 1;
    this.#selections.set(view.selectionKey, shared);
    ready.then(
      () => {
        shared.planned = 0;
      },
      () => this.#drop(view.selectionKey),
    );
    return shared;
  }

  async #select(view: ReadView, caller: string, ordering: Shared<Ordering>, made: Selection): Promise<void> {
    // Columns that this query is the first to ask for are filled before anything is looked at.
    for (const { table } of view.kinds) await this.tables.fill(table, caller);
    await ordering.ready;
    ordering.made.bringIn();
    const found = view.kinds.map(({ table }) => candidatesOf(view.tree, table));
    const few = found.flatMap((rows) => rows ?? []);
    const isFew = found.every((rows) => rows !== undefined) && few.length * 8 < ordering.made.size;
    await this.tables.run(caller, ordering.made.select(made, isFew ? few : undefined));
  }

  #ordering(view: ReadView, caller: string): Shared<Ordering> {
    const known = this.#orderings.get(view.orderKey);
    if (known !== undefined) return known;
    const made = new Ordering(view.kinds, view.descending, () => this.#soon());
    const releases = view.kinds.map(({ table }) => this.tables.use(table.kind));
    const build = async (): Promise<void> => {
      for (const { table } of view.kinds) await this.tables.fill(table, caller);
      await this.tables.run(caller, made.build());
    };
    const { lease } = view;
    const planned = this.#countOf(view);
    const shared = { made, ready: build(), lease, planned, users: 0, usedMs: performance.now() };
    lease.hold();
    shared.ready.then(
      () => {
        shared.planned = 0;
      },
      () => undefined,
    );
    this.#orderings.set(view.orderKey, shared);
    this.#releases.set(made, releases);
    return shared;
  }

  /** Lets go of what nobody reads any more when a caller has too much. @throws {ZorError} RESOURCE_EXHAUSTED when that is not enough. */
  #makeRoom(view: ReadView, caller: string): void {
    const own = <T extends { readonly size: number }>(all: ReadonlyMap<string, Shared<T>>) =>
      [...all].filter(([, { lease }]) => lease.caller === caller);
    const rows = (): number => {
      const both = [...own(this.#orderings), ...own(this.#selections)];
      return both.reduce((sum, [, { made, planned }]) => sum + Math.max(made.size, planned), 0);
    };
    if (rows() + this.#countOf(view) <= this.#mostRows) return;
    for (const [key, { users }] of own(this.#selections)) if (users === 0) this.#drop(key);
    for (const [key, { users }] of own(this.#orderings)) if (users === 0) this.#dropOrdering(key);
    const now = rows();
    // One view is had by everybody, however large the fleet.
    if (now === 0 || now + this.#countOf(view) <= this.#mostRows) return;
    throw resourceExhausted(
      "TOO_MANY_ROWS",
      `the views of ${caller} look at ${now} rows already, in as many orders as it asked for; close some, or ask for less`,
    );
  }

  /** How many resources there are of what a view asks for. */
  #countOf({ kinds }: ReadView): number {
    return kinds.reduce((sum, { table }) => sum + this.#log.index(table.kind).count(""), 0);
  }

  #soon(): void {
    this.#due ??= setTimeout(() => {
      this.#due = undefined;
      for (const { made } of this.#orderings.values()) made.bringIn();
    }, bringInMs).unref();
  }

  #forget(): void {
    const now = performance.now();
    for (const [key, { users, usedMs }] of this.#selections) {
      if (users === 0 && usedMs < now - keepSelectionMs) this.#drop(key);
    }
    for (const [key, { users, usedMs }] of this.#orderings) {
      if (users === 0 && usedMs <= now - keepOrderingMs) this.#dropOrdering(key);
    }
  }

  #dropOrdering(key: string): void {
    const ordering = this.#orderings.get(key);
    if (ordering === undefined) return;
    const { made, lease } = ordering;
    this.#orderings.delete(key);
    made.close();
    lease.release();
    for (const release of this.#releases.get(made) ?? []) release();
    this.#releases.delete(made);
  }

  #drop(key: string): void {
    const selection = this.#selections.get(key);
    if (selection === undefined) return;
    this.#selections.delete(key);
    selection.lease.release();
    const ordering = this.#orderings.get(selection.orderKey);
    if (ordering === undefined) return;
    ordering.made.forget(selection.made);
    ordering.users -= 1;
    ordering.usedMs = performance.now();
  }

  #enter(caller: string): () => void {
    const own = this.#open.get(caller) ?? 0;
    const all = [...this.#open.values()].reduce((sum, each) => sum + each, 0);
    if (own >= mostOfCaller || all >= mostViews) {
      const text = own >= mostOfCaller ? `${mostOfCaller} of one caller` : `${mostViews} of all`;
      throw resourceExhausted("TOO_MANY_VIEWS", `there are ${text} views open, which is the most; close some`);
    }
    this.#open.set(caller, own + 1);
    return () => {
      const left = (this.#open.get(caller) ?? 1) - 1;
      if (left === 0) this.#open.delete(caller);
      else this.#open.set(caller, left);
    };
  }
}

/** Whoever reads a selection: it is kept for him, as long as he reads. */
class Lease {
  readonly #of: { users: number; usedMs: number };
  #isOver = false;

  constructor(of: { users: number; usedMs: number }) {
    this.#of = of;
    of.users += 1;
  }

  /** A response waits to be read. What is returned tells, once it was, whether that was in time. */
  waitsFor(isTooMuch: () => boolean): () => boolean {
    const timer = setInterval(() => {
      if (isTooMuch()) this.end();
    }, slowMs).unref();
    return () => {
      clearInterval(timer);
      return !this.#isOver;
    };
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#of.users -= 1;
    this.#of.usedMs = performance.now();
  }
}

function tooSlow({ epoch, revision }: { readonly epoch: string; readonly revision: bigint }): ZorError {
  return new ZorError({
    reason: "WATCH_TOO_SLOW",
    code: status.RESOURCE_EXHAUSTED,
    message: "this reader does not keep up with the changes; resume from its last position",
    metadata: { epoch, revision: String(revision) },
  });
}

/** Where the window begins: with an anchor where that is now, else where it was. */
function placeOf({ window, kinds }: ReadView, selection: Selection, before: number, matched: number): number {
  const { anchor, offset, rows } = window;
  if (anchor === "") return Math.min(offset, Math.max(0, matched));
  const row = kinds.map(({ table }) => table.rows.get(anchor)).find((each) => each !== undefined);
  const place = selection.placeOf(row);
  const first = place === undefined ? before : place + offset;
  return Math.max(0, Math.min(first, matched - Math.min(rows, matched)));
}

function sortedObject(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([left], [right]) => (left < right ? -1 : 1)));
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
