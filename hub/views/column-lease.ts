import { resourceExhausted } from "../../lib/errors.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";

/** Columns of a table that queries of one caller may read at the same time, and those of all viewers together: others always find room. */
const [mostOfCaller, mostOfViewers] = [96, 128];

/** Who asks. */
export interface ColumnCaller {
  /** Identity. */
  readonly caller: string;
  readonly role: Role;
}

/** A column that is read by queries. */
export interface LeasedColumn {
  readonly leases: Set<ColumnLease>;
  /** When it was let go of last. */
  leftMs: number;
}

/** Keeps columns of tables there for a query, and for whatever is made of it, until all of those have let go. */
export class ColumnLease {
  readonly caller: string;
  /** Whether it is of somebody who only looks. */
  readonly isOfViewer: boolean;
  readonly #columns = new Set<LeasedColumn>();
  #holders = 1;

  constructor({ caller, role }: ColumnCaller) {
    this.caller = caller;
    this.isOfViewer = role <= Role.ROLE_VIEWER;
  }

  /** Has a column stay. @param all the columns of its table. @throws {ZorError} RESOURCE_EXHAUSTED when its caller reads too many. */
  take(column: LeasedColumn, all: Iterable<LeasedColumn>): void {
    if (this.#columns.has(column)) return;
    this.check(all, column);
    column.leases.add(this);
    this.#columns.add(column);
  }

  /** @param wanted undefined: one that nobody reads yet. @throws {ZorError} RESOURCE_EXHAUSTED when there is no room for it. */
  check(all: Iterable<LeasedColumn>, wanted?: LeasedColumn): void {
    let [own, ofViewers] = [0, 0];
    for (const column of all) {
      if (this.#isOwn(column)) own += 1;
      if (isOfViewers(column)) ofViewers += 1;
    }
    if (own >= mostOfCaller && !(wanted !== undefined && this.#isOwn(wanted)))
      throw tooMany(`views and queries of ${this.caller}`, mostOfCaller);
    if (this.isOfViewer && ofViewers >= mostOfViewers && !(wanted !== undefined && isOfViewers(wanted)))
      throw tooMany("views and queries of viewers", mostOfViewers);
  }

  #isOwn({ leases }: LeasedColumn): boolean {
    for (const { caller } of leases) if (caller === this.caller) return true;
    return false;
  }

  /** Something else needs its columns, until that lets go, too. */
  hold(): void {
    this.#holders += 1;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    for (const column of this.#columns) {
      column.leases.delete(this);
      column.leftMs = performance.now();
    }
    this.#columns.clear();
  }
}

function isOfViewers({ leases }: LeasedColumn): boolean {
  for (const { isOfViewer } of leases) if (isOfViewer) return true;
  return false;
}

/** There is no room for what a query asks for. */
export function tooMany(whose: string, most: number): ReturnType<typeof resourceExhausted> {
  return resourceExhausted(
    "TOO_MANY_FIELDS",
    `${whose} look at ${most} fields of a kind already; close some, or ask for fewer columns`,
  );
}
