import { durationOf, enumNames, timeOf } from "../../lib/list/comparison.js";
import type { QueryField } from "../../lib/query/query-field.js";
import type { ViewRow, ViewValue } from "../../proto/gen/zor/v1/view_service.js";
import type { Entry } from "./ordering.js";
import { wholeResource } from "./pick-fields.js";
import type { ReadView } from "./read-view.js";
import type { Row, RowTable } from "./row-table.js";

/** What a reader has of a row. */
interface Known {
  readonly row: Row | undefined;
  readonly revision: bigint;
  readonly values: string;
}

/** What a reader has of its window, and what is news to it. */
export class Window {
  readonly #view: ReadView;
  readonly #valuesOf = new Map<RowTable, (row: Row) => readonly ViewValue[]>();
  #rows: readonly string[] = [];
  #known: ReadonlyMap<string, Known>;

  /** @param resumed names that the reader has, as they were at a revision. */
  constructor(view: ReadView, resumed: { readonly names: readonly string[]; readonly revision: bigint }) {
    this.#view = view;
    for (const { table, valuesOf, fieldsOf } of view.kinds) {
      const formats = fieldsOf.map(valueFormat);
      this.#valuesOf.set(table, (row) => valuesOf.map((read, at) => formats[at]?.(read(row)) ?? { value: undefined }));
    }
    const { names, revision } = resumed;
    this.#known = new Map(names.map((name) => [name, { row: undefined, revision, values: "" }]));
  }

  /** How many rows it had. */
  get length(): number {
    return this.#rows.length;
  }

  /** The rows that are news. */
  take(entries: readonly Entry[]): ViewRow[] {
    const news: ViewRow[] = [];
    const known = new Map<string, Known>();
    const names: string[] = [];
    for (const [index, { row }] of entries.entries()) {
      const { name } = row;
      const before = this.#known.get(name);
      const values = this.#valuesOf.get(row.table)?.(row) ?? [];
      const text = values.length === 0 ? "" : JSON.stringify(values);
      names.push(name);
      known.set(name, { row, revision: row.revision, values: text });
      const isSame = before !== undefined && isCurrent(before, row);
      const hasValues = text !== (before?.values ?? "");
      if (isSame && !hasValues && this.#rows[index] === name) continue;
      news.push({
        ...{ index, name },
        resource: isSame ? undefined : (this.#view.fields ?? wholeResource)(row),
        values: hasValues ? [...values] : [],
      });
    }
    this.#rows = names;
    this.#known = known;
    return news;
  }
}

/** What a reader has from before it came back is current if nothing happened since; what it has from here, if nothing has changed. */
function isCurrent({ row, revision }: Known, now: Row): boolean {
  return row === undefined ? now.revision <= revision : row === now && revision === now.revision;
}

function valueFormat(field: QueryField | undefined): (found: unknown) => ViewValue {
  if (field === undefined) return () => ({ value: undefined });
  const one = oneFormat(field);
  if (!field.isRepeated) return one;
  return (found) => {
    const all = Array.isArray(found) ? (found as unknown[]) : [];
    if (all.length <= 1) return one(all[0]);
    const texts = all.map((each) => {
      const { value } = one(each);
      return value === undefined ? "" : String(value.value);
    });
    return { value: { $case: "text", value: texts.join(" ") } };
  };
}

function oneFormat({ value: kind, unit }: QueryField): (found: unknown) => ViewValue {
  const number = (value: number | undefined): ViewValue =>
    value === undefined || !Number.isFinite(value) ? { value: undefined } : { value: { $case: "number", value } };
  switch (kind.type) {
    case "number":
      return (found) => (found === undefined ? number(undefined) : number(Number(found) * (unit?.factor ?? 1)));
    case "timestamp":
      return (found) => number(timeOf(found));
    case "duration":
      return (found) => number(durationOf(found));
    case "bool":
      return (found) => ({ value: { $case: "text", value: found === true ? "true" : "false" } });
    case "enum": {
      const names = new Map(enumNames(kind.values).map(({ name, number: each }) => [each, name]));
      return (found) => ({ value: { $case: "text", value: names.get(typeof found === "number" ? found : 0) ?? "" } });
    }
    default:
      return (found) => (typeof found === "string" ? { value: { $case: "text", value: found } } : { value: undefined });
  }
}
