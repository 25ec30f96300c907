import { ZorError } from "../../lib/errors.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import { compileQuery } from "../../lib/query/compile.js";
import type { Facts } from "../../lib/query/facts.js";
import { findQueryField } from "../../lib/query/query-field.js";
import type { Query, QueryTree } from "../../lib/query/tree.js";
import type { Kept } from "../../lib/watch/kept.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";
import type { Turns, Work } from "../kit/turns.js";
import { ColumnLease } from "./column-lease.js";
import { type Row, RowTable } from "./row-table.js";

/** Where the figures that queries ask for come from. */
export interface FactSource extends Facts {
  /** Somebody asks for figures from now on, until what is returned is called; resolves when those that are at hand have come. */
  hold(caller: string, figures: ReadonlySet<Figure>): Promise<() => void>;
  /** Calls back with the name of each resource of which a figure has changed. */
  onFigure(listener: (name: string) => void): void;
}

/** A table that nobody asks for is forgotten after so long. */
const keepMs = 300_000;
const stride = 64;
const sweepMs = 1000;
const sweptRows = 5000;

/** The tables of all kinds that somebody asks for. */
export class Tables {
  readonly facts: FactSource;
  readonly #log: WatchLog;
  readonly #turns: Turns;
  readonly #tables = new Map<string, { readonly table: RowTable; usedMs: number; users: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(log: WatchLog, facts: FactSource, turns: Turns) {
    this.#log = log;
    this.facts = facts;
    this.#turns = turns;
    facts.onFigure((name) => {
      for (const { table } of this.#tables.values()) table.measured(name);
    });
    this.#timer = setInterval(() => this.#tick(), sweepMs).unref();
  }

  /** The table of a kind; {@link RowTable.fill} it before it is read. */
  of(kind: string): RowTable {
    const known = this.#tables.get(kind);
    if (known !== undefined) {
      known.usedMs = performance.now();
      return known.table;
    }
    const table = new RowTable(this.#log, kind, this.facts);
    this.#tables.set(kind, { table, usedMs: performance.now(), users: 0 });
    return table;
  }

  /** The table is not forgotten until what is returned is called. */
  use(kind: string): () => void {
    const table = this.of(kind);
    const entry = this.#tables.get(kind);
    if (entry?.table !== table) throw new Error(`the table of ${kind} is not there`);
    entry.users += 1;
    return () => {
      entry.users -= 1;
      entry.usedMs = performance.now();
    };
  }

  /**
   * What of a kind a query asks for, below a parent ("hosts/alpha"; "": all). A word alone is looked for in names.
   * Undefined: tables have no room for what it asks for; everything has to be looked at.
   */
  async find(wanted: {
    readonly kind: string;
    readonly parent: string;
    readonly query: Query;
    readonly caller: string;
  }): Promise<readonly Kept[] | undefined> {
    const { kind, parent, query, caller } = wanted;
    const release = this.use(kind);
    // It is over soon, whoever asks: there is no harm in taking no more room than viewers have.
    const lease = new ColumnLease({ caller, role: Role.ROLE_VIEWER });
    try {
      const table = this.of(kind);
      const passes = compileQuery<Row>(query.tree, {
        ...{ where: "filter", type: kindNamed(kind).type, words: "name", isGuarded: true },
        bind: (field) => table.bind(field, lease),
      });
      await this.fill(table, caller);
      const below = parent === "" ? "" : `${parent}/`;
      const rows = candidatesOf(query.tree, table) ?? [...table.rows.values()];
      return await this.run(
        caller,
        (function* (): Work<readonly Kept[]> {
          const found: Kept[] = [];
          for (const [at, row] of rows.entries()) {
            if (at % stride === 0) yield;
            if (!row.isGone && row.name.startsWith(below) && passes(row)) found.push(row.kept);
          }
          return found;
        })(),
      );
    } catch (error) {
      if (error instanceof ZorError && error.reason === "TOO_MANY_FIELDS") return undefined;
      throw error;
    } finally {
      lease.release();
      release();
    }
  }

  /** Does work in parts, for a caller. */
  run<Result>(caller: string, work: Work<Result>): Promise<Result> {
    return this.#turns.run(caller, work);
  }

  fill(table: RowTable, caller: string): Promise<void> {
    return table.fill((work) => this.#turns.run(caller, work));
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { table } of this.#tables.values()) table.close();
    this.#tables.clear();
  }

  #tick(): void {
    const before = performance.now() - keepMs;
    for (const [kind, { table, usedMs, users }] of this.#tables) {
      if (users === 0 && usedMs < before) {
        table.close();
        this.#tables.delete(kind);
        continue;
      }
      table.forgetIdle(before);
      if (users > 0) table.sweep(sweptRows);
    }
  }
}

/** Fields by whose values rows are filed. */
const indexed = new Set(["host", "kind", "driver", "state", "status.state"]);

/**
 * Columns and values, one of which every row has that a query selects: those are all that need to be looked at. Of several the one with the
 * fewest rows. Undefined: the query tells none. The table is filled.
 */
export function candidatesOf(tree: QueryTree, table: RowTable): readonly Row[] | undefined {
  let best: readonly Row[] | undefined;
  for (const term of tree.type === "all" ? tree.terms : [tree]) {
    const found = rowsOf(term, table);
    if (found !== undefined && (best === undefined || found.length < best.length)) best = found;
  }
  return best;
}

function rowsOf(term: QueryTree, table: RowTable): readonly Row[] | undefined {
  if (term.type !== "comparison") return undefined;
  const { operator, path, values } = term;
  if (operator !== "=" && operator !== "==" && operator !== "in") return undefined;
  const word = path.join(".");
  const isLabel = (path[0] === "label" || path[0] === "labels") && path.length > 1;
  if (!isLabel && !indexed.has(word)) return undefined;
  // What is empty is what is not there as well.
  if (values.some(({ text, isAny }) => isAny || text === "")) return undefined;
  try {
    const field = findQueryField("query", kindNamed(table.kind).type, path);
    const column = table.findColumn(field);
    if (column === undefined) return undefined;
    const index = table.indexOf(column);
    const rows = values.flatMap(({ text }) => keysOf(field.value, text).flatMap((key) => [...(index.get(key) ?? [])]));
    return values.length === 1 ? rows : [...new Set(rows)];
  } catch {
    // What makes no sense for this kind selects nothing of it.
    return [];
  }
}

function keysOf(value: ReturnType<typeof findQueryField>["value"], text: string): readonly unknown[] {
  if (value.type !== "enum") return [text, ...(text === text.toLowerCase() ? [] : [text.toLowerCase()])];
  const wanted = text.toUpperCase();
  const { values, sharedPrefix = "" } = value.values;
  const prefix = sharedPrefix.toUpperCase();
  const number = values.find(({ name }) => name === wanted || name === `${prefix}${wanted}`)?.number;
  // What is not set is 0.
  return number === undefined ? [] : number === 0 ? [0, undefined] : [number];
}
