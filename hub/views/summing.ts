import { resourceExhausted } from "../../lib/errors.js";
import type { Work } from "../kit/turns.js";
import { type Selection, stride } from "./ordering.js";
import type { ReadView } from "./read-view.js";
import type { Row } from "./row-table.js";

/** Sums of columns by column. */
export type Sums = Readonly<Record<string, number>>;

/** Columns of the rows that a query selects, summed up, change by change. */
class Summing {
  readonly #columns: readonly string[];
  readonly #addendsOf: ReadonlyMap<Row["table"], ReadView["kinds"][number]["addendsOf"]>;
  /** What each row has added; rows that have added nothing are not there. */
  readonly #added = new Map<Row, readonly number[]>();
  readonly #sums: number[];

  constructor({ kinds, sums }: Pick<ReadView, "kinds" | "sums">) {
    this.#columns = sums;
    this.#addendsOf = new Map(kinds.map(({ table, addendsOf }) => [table, addendsOf]));
    this.#sums = sums.map(() => 0);
  }

  /** Takes the rows that are there; those that change meanwhile are told. */
  *begin(selection: Selection): Work<void> {
    for (const [at, { row }] of selection.slice(0, selection.size).entries()) {
      if (at % stride === 0) yield;
      this.put(row, selection.has(row));
    }
  }

  /** A row has changed, has come or has gone. */
  put(row: Row, isIn: boolean): void {
    const before = this.#added.get(row);
    const found = isIn ? this.#addendsOf.get(row.table)?.map((addend) => addend?.(row) ?? 0) : undefined;
    const after = found?.some((each) => each !== 0) === true ? found : undefined;
    if (after !== undefined) this.#added.set(row, after);
    else if (before === undefined || !this.#added.delete(row)) return;
    // What parts of numbers have left behind does not stay for ever.
    if (this.#added.size === 0) this.#sums.fill(0);
    else for (const at of this.#sums.keys()) this.#add(at, (after?.[at] ?? 0) - (before?.[at] ?? 0));
  }

  get totals(): Sums {
    return Object.fromEntries(this.#columns.map((column, at) => [column, this.#sums[at] ?? 0]));
  }

  #add(at: number, more: number): void {
    this.#sums[at] = (this.#sums[at] ?? 0) + more;
  }
}

interface SharedSumming {
  readonly made: Summing;
  readonly ready: Promise<void>;
  readonly selection: Selection;
  /** Of the columns that it looks at, and who asked for it first. */
  readonly lease: ReadView["lease"];
  readonly rows: number;
  users: number;
}

/** Who asks for sums, and of what. */
export interface SumsWanted {
  readonly view: ReadView;
  readonly selection: Selection;
  readonly caller: string;
  /** How many rows it may have. */
  readonly rows: number;
}

/** Sums as somebody reads them, until they let go. */
export interface HeldSums {
  readonly totals: Sums;
  release(): void;
}

const nothing: HeldSums = { totals: {}, release: () => undefined };

/** The sums that are read now: readers who ask for the same have them together. */
export class Summings {
  readonly #all = new Map<string, SharedSumming>();
  readonly #mostRows: number;
  readonly #run: (caller: string, work: Work<void>) => Promise<void>;

  /** @param mostRows that are summed up for one caller. */
  constructor(mostRows: number, run: (caller: string, work: Work<void>) => Promise<void>) {
    this.#mostRows = mostRows;
    this.#run = run;
  }

  /** Resolves when they are complete. @throws {ZorError} RESOURCE_EXHAUSTED when too much is summed up for the caller. */
  async hold(wanted: SumsWanted): Promise<HeldSums> {
    const { view, selection } = wanted;
    if (view.sums.length === 0) return nothing;
    const key = JSON.stringify([view.selectionKey, view.sums]);
    const known = this.#all.get(key);
    const shared = known?.selection === selection ? known : this.#make(key, wanted);
    shared.users += 1;
    const release = (): void => {
      shared.users -= 1;
      if (shared.users > 0) return;
      selection.summings.delete(shared.made);
      shared.lease.release();
      if (this.#all.get(key) === shared) this.#all.delete(key);
    };
    try {
      await shared.ready;
    } catch (error) {
      release();
      throw error;
    }
    const { made } = shared;
    return {
      get totals() {
        return made.totals;
      },
      release,
    };
  }

  #make(key: string, { view, selection, caller, rows }: SumsWanted): SharedSumming {
    const own = [...this.#all.values()].filter((each) => each.lease.caller === caller);
    const before = own.reduce((sum, each) => sum + each.rows, 0);
    if (before > 0 && before + rows > this.#mostRows)
      throw resourceExhausted(
        "TOO_MANY_ROWS",
        `the views of ${caller} sum up ${before} rows already; close some, or ask for fewer sums`,
      );
    const made = new Summing(view);
    selection.summings.add(made);
    const { lease } = view;
    lease.hold();
    const shared = { made, ready: this.#run(caller, made.begin(selection)), selection, lease, rows, users: 0 };
    this.#all.set(key, shared);
    return shared;
  }
}
