import type { CellContext } from "../fleet/fleet-view.js";
import { labelsOf, type Row } from "../row.js";
import type { Column } from "./column.js";

/** A term of a filter: text anywhere, or a field that is, or is not, something. */
type Term =
  | { readonly type: "text"; readonly text: string; readonly negated: boolean }
  | { readonly type: "field"; readonly field: string; readonly value: string; readonly negated: boolean };

/** A filter as typed, understood. */
export interface Filter {
  readonly text: string;
  readonly terms: readonly Term[];
}

/** The filter that lets everything through. */
export const noFilter: Filter = { text: "", terms: [] };

/**
 * Reads a filter: words separated by spaces that all have to match. `web` looks in every column, `state=running` and
 * `host!=beta` in one column or label, `!web` turns a word round. Case does not matter. Every text is a valid filter.
 */
export function parseFilter(text: string): Filter {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return { text, terms: words.map(parseTerm) };
}

function parseTerm(word: string): Term {
  const field = /^([a-z][a-z0-9_.-]*)(!?)=(.*)$/.exec(word);
  if (field !== null) {
    const [, name = "", bang = "", value = ""] = field;
    return { type: "field", field: name, value, negated: bang === "!" };
  }
  const negated = word.length > 1 && word.startsWith("!");
  return { type: "text", text: negated ? word.slice(1) : word, negated };
}

/** Whether a row passes a filter. */
export function matches(filter: Filter, row: Row, columns: readonly Column[], context: CellContext): boolean {
  return filter.terms.every((term) => {
    const found =
      term.type === "text"
        ? columns.some((column) => searched(column, row, context).includes(term.text))
        : fieldMatches(term, row, columns, context);
    return found !== term.negated;
  });
}

function fieldMatches(
  { field, value }: { readonly field: string; readonly value: string },
  row: Row,
  columns: readonly Column[],
  context: CellContext,
): boolean {
  const column = columns.find((candidate) => candidate.id === field && candidate.searched !== undefined);
  if (column !== undefined) {
    const text = searched(column, row, context);
    return value === "" ? text === "" : text.includes(value);
  }
  const label = findLabel(row, field);
  return value === "" ? label === "" || label === undefined : label?.includes(value) === true;
}

function findLabel(row: Row, field: string): string | undefined {
  const key = field.startsWith("labels.") ? field.slice("labels.".length) : field;
  for (const [name, value] of Object.entries(labelsOf(row))) {
    if (name.toLowerCase() === key) return value.toLowerCase();
  }
  return undefined;
}

function searched(column: Column, row: Row, context: CellContext): string {
  return column.searched?.(row, context).toLowerCase() ?? "";
}
