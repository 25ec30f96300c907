import type { CellContext } from "../fleet/fleet-view.js";
import type { Row } from "../row.js";
import { plainText } from "../text/plain-text.js";
import { textWidth } from "../text/text-width.js";
import type { Column } from "./column.js";

/** Forms that a table is saved in, by the end of the file's name. */
export const tableForms = ["csv", "json", "txt"] as const;
export type TableForm = (typeof tableForms)[number];

/** The form that the end of a file's name stands for; undefined: none. */
export function formOf(path: string): TableForm | undefined {
  const end = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  return tableForms.find((form) => form === end);
}

/** A table as a text of a file. */
export function tableText(
  rows: readonly Row[],
  {
    columns,
    context,
    form,
  }: { readonly columns: readonly Column[]; readonly context: CellContext; readonly form: TableForm },
): string {
  const cells = rows.map((row) => columns.map((column) => cellText(column, row, context)));
  if (form === "json") {
    const objects = rows.map((row, at) => ({
      resource: row.name,
      ...Object.fromEntries(columns.map(({ id }, index) => [id, cells[at]?.[index] ?? ""])),
    }));
    return `${JSON.stringify(objects, undefined, 2)}\n`;
  }
  const titles = columns.map(({ title }) => title);
  if (form === "csv") return [titles, ...cells].map((line) => `${line.map(csvCell).join(",")}\r\n`).join("");
  const shown = [titles, ...cells.map((line) => line.map(plainText))];
  const widths = columns.map((_, index) => Math.max(...shown.map((line) => textWidth(line[index] ?? ""))));
  const padded = shown.map((line) =>
    line.map((text, index) => text + " ".repeat((widths[index] ?? 0) - textWidth(text))),
  );
  return padded.map((line) => `${line.join("  ").trimEnd()}\n`).join("");
}

/** The text of a cell where nothing has to be short. */
export function cellText(column: Column, row: Row, context: CellContext): string {
  return column.spelled?.(row) ?? column.cell(row, context).text;
}

/** RFC 4180; what a spreadsheet would take for a formula is given it as a text. */
function csvCell(text: string): string {
  const safe = /^[=+@\t\r]|^-(?![\d.]+$)./.test(text) && !/^[+-]?[\d.]+\s?\S*$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
