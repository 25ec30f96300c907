import type { CellContext } from "../fleet/fleet-view.js";
import type { Table } from "../fleet/table.js";
import type { Row } from "../row.js";
import type { Column } from "./column.js";
import { type Subject, searchedText } from "./filter.js";

const nothing: Row = { kind: "", name: "", id: "", host: "", resource: {}, receivedAtMs: 0 };

/**
 * One row of a table after the other, as a filter asks for it: many filters ask for nothing but the texts, which are kept for as long as a row
 * stays as it is, and nothing is made for each row.
 */
export class Looked implements Subject {
  readonly #table: Table;
  /** What words are looked for in, by slot, as far as somebody asked. */
  #texts: (string | undefined)[] = [];
  #slot = -1;
  #columns: readonly Column[] = [];
  #context: CellContext | undefined;
  #row: Row | undefined;

  constructor(table: Table) {
    this.#table = table;
  }

  look(slot: number, columns: readonly Column[], context: CellContext): void {
    this.#slot = slot;
    this.#columns = columns;
    this.#context = context;
    this.#row = undefined;
  }

  /** What is gone meanwhile is nothing. */
  get row(): Row {
    this.#row ??= this.#table.glance(this.#slot) ?? nothing;
    return this.#row;
  }

  get text(): string {
    let text = this.#texts[this.#slot];
    if (text === undefined) {
      const { row } = this;
      text = row === nothing || this.#context === undefined ? "" : searchedText(row, this.#columns, this.#context);
      while (this.#texts.length < this.#slot) this.#texts.push(undefined);
      this.#texts[this.#slot] = text;
    }
    return text;
  }

  /** A row has changed. */
  forget(slot: number): void {
    if (slot < this.#texts.length) this.#texts[slot] = undefined;
  }

  forgetAll(): void {
    this.#texts = [];
  }
}
