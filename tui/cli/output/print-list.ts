import { escapeText } from "../../kit/text/escape.js";
import type { Session } from "../session.js";
import { csvLine } from "./csv.js";
import { isStructured } from "./forms.js";
import { type ColumnMaker, type ListForm, shownColumns, sortedRows } from "./list-form.js";
import { type Column, Table } from "./table.js";
import { tableOptions } from "./table-options.js";

/** A list in all its forms. */
export interface Listed<T> {
  /** All columns there are; which are shown unasked they say themselves. */
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  /** Columns beyond them. */
  readonly make?: ColumnMaker<T>;
  /** What -o name prints of a row. */
  nameOf(row: T): string;
  /** The document of the structured forms, of rows in the order in which they are printed. */
  json(rows: readonly T[]): unknown;
  /** Said on standard error when there are no rows. */
  readonly none: string;
}

/** Prints rows as they come: the header before the first of them, whose widths the columns keep. */
export class RowPrinter<T> {
  readonly #session: Session;
  readonly #form: ListForm;
  readonly #shown: readonly Column<T>[];
  #table: Table<T> | undefined;

  /** @throws {ZorError} INVALID_ARGUMENT for columns that there are not. */
  constructor(session: Session, columns: readonly Column<T>[], form: ListForm) {
    this.#session = session;
    this.#form = form;
    this.#shown = shownColumns(columns, form);
  }

  print(rows: readonly T[]): void {
    const { output, headers = true } = this.#form;
    if (this.#table === undefined) {
      this.#table = new Table(this.#shown, rows, tableOptions(this.#session.io, output === "wide"));
      if (headers) this.#session.print(this.#table.header());
    }
    for (const row of rows) this.#session.print(this.#table.row(row));
  }
}

/** Prints a list in the form that was asked for. @throws {ZorError} INVALID_ARGUMENT for columns that there are not. */
export async function printList<T>(session: Session, form: ListForm, list: Listed<T>): Promise<void> {
  const { columns, make, none } = list;
  const { output, headers = true } = form;
  // What is wrong with the columns is told whatever there is.
  const shown = shownColumns(columns, form, make);
  const rows = sortedRows(columns, list.rows, form.sortBy, make);
  if (isStructured(output)) {
    await session.printJson(output, await list.json(rows));
    return;
  }
  if (output === "name") for (const row of rows) session.print(escapeText(list.nameOf(row)));
  else if (output === "csv") {
    if (headers) session.print(csvLine(shown.map(({ title }) => title)));
    for (const row of rows) session.print(csvLine(shown.map((column) => column.value(row))));
  } else if (rows.length > 0) {
    const table = new Table(shown, rows, tableOptions(session.io, output === "wide" || form.columns !== undefined));
    if (headers) session.print(table.header());
    for (const row of rows) session.print(table.row(row));
  }
  if (rows.length === 0 && output !== "name") session.note(none);
}
