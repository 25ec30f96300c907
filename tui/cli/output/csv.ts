import { escapeText } from "../../kit/text/escape.js";

/** What a spreadsheet would take for a formula; numbers with a sign are none, nor is a sign alone, which tables show where nothing is known. */
const formula = /^[=+\-@\t\r]./s;
const number = /^[+-]?\d+(?:[.,]\d+)?%?$/;

/**
 * A line of CSV as RFC 4180 has it. Names and labels are other people's: a cell that a spreadsheet would calculate gets an apostrophe
 * in front, and control characters become visible escapes as everywhere.
 */
export function csvLine(cells: readonly string[]): string {
  return cells.map(csvCell).join(",");
}

function csvCell(cell: string): string {
  const safe = escapeText(formula.test(cell) && !number.test(cell) ? `'${cell}` : cell);
  return /[",\s]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
