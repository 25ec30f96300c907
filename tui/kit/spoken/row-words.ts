import type { CellContext } from "../fleet/fleet-view.js";
import type { TuiKind } from "../kind.js";
import { shortName } from "../resource-name.js";
import type { Row } from "../row.js";
import type { Column } from "../table/column.js";
import { plainText } from "../text/plain-text.js";
import { words } from "./words.js";

/** Said where nothing is. */
const nothing = new Set(["", "-"]);

/** Of a value no more is said in a row. */
const longestValue = 120;
/** So many columns are said in a list, besides name and state; all of them of a row that was chosen. */
const fewColumns = 5;

/** Of the columns of a table those that a list says: the most important ones, in their order. */
export function listedColumns(columns: readonly Column[]): readonly Column[] {
  const ranked = columns.filter((column) => !isState(column)).sort((one, other) => other.importance - one.importance);
  // The first column is the name, which is always said.
  const kept = new Set(ranked.slice(0, fewColumns + 1));
  return columns.filter((column) => isState(column) || kept.has(column));
}

/** A row as it is read aloud: its name, its state, and of the other columns their titles with what is in them. */
export function rowWords(kind: TuiKind, columns: readonly Column[], row: Row, context: CellContext): string {
  const isLog = kind.log !== undefined;
  const name = plainText(shortName(row.name));
  const known = new Set([name, row.id, row.host]);
  // What is said first is what it is called and how it is.
  const ordered = isLog ? columns : [...columns.filter(isState), ...columns.filter((column) => !isState(column))];
  const parts = ordered.flatMap((column) => {
    const text = shortened(words(plainText(column.cell(row, context).text)));
    if (nothing.has(text) || (!isLog && known.has(text))) return [];
    return isLog || isState(column) ? [text] : [`${column.title.toLowerCase()} ${text}`];
  });
  return (isLog ? parts : [name, ...parts]).join(", ");
}

function isState({ id }: Column): boolean {
  return id === "state";
}

function shortened(text: string): string {
  return text.length > longestValue ? `${text.slice(0, longestValue)}...` : text;
}
