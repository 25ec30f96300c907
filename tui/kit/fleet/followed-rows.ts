import type { Row } from "../row.js";
import type { Table } from "./table.js";

/** All rows of a table, for whoever shows all of them again and again: what has not changed is the same object, and decoded once. */
export class FollowedRows {
  readonly #table: Table;
  readonly #rows = new Map<number, Row>();
  #version = -1;

  constructor(table: Table) {
    this.#table = table;
  }

  /** As they are now, in the order in which they came. */
  get rows(): Iterable<Row> {
    this.#follow();
    return this.#rows.values();
  }

  #follow(): void {
    const table = this.#table;
    if (table.version === this.#version) return;
    const changed = this.#version < 0 ? table.slots() : table.slotsSince(this.#version);
    for (const slot of changed) {
      const row = table.at(slot);
      // What came to the slot of another one came last.
      if (this.#rows.get(slot)?.name !== row?.name) this.#rows.delete(slot);
      if (row !== undefined) this.#rows.set(slot, row);
    }
    this.#version = table.version;
  }
}
