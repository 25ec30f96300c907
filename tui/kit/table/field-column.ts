import { toMs } from "../../../lib/duration.js";
import { ZorError } from "../../../lib/errors.js";
import { findKindBySingular } from "../../../lib/kinds/kinds.js";
import { enumNames } from "../../../lib/list/comparison.js";
import { noFacts } from "../../../lib/query/facts.js";
import { parsePath } from "../../../lib/query/path.js";
import { findQueryField, type QueryField } from "../../../lib/query/query-field.js";
import type { CellContext } from "../fleet/fleet-view.js";
import { formatAge, formatBytes } from "../format.js";
import { labelsOf, type Row } from "../row.js";
import type { Column } from "./column.js";
import { ageText } from "./columns.js";
import { figureColumn } from "./figure-column.js";

/** Ids of columns that are a label each. */
const labelId = /^labels?\.(.+)$/;
/** More of a list, or of what holds other fields, is told by the description. */
const longestText = 200;

/**
 * The column of a label ("label.site"), of a field of the resource by its path, as queries name it ("spec.memoryMib", "cpus"), or of what is
 * measured ("net.in"). What belongs to links has no column. Undefined: the kind has nothing of that name.
 * @param kind singular.
 */
export function fieldColumn(kind: string, id: string): Column | undefined {
  const label = labelId.exec(id)?.[1];
  if (label !== undefined) return labelColumnOf(id, label);
  const field = findFieldOf(kind, id);
  if (field?.source === "figures") return figureColumn(kind, id);
  if (field === undefined || field.source === "links") return undefined;
  const title = id.split(".").at(-1)?.toUpperCase() ?? id;
  const isNumber = field.value.type === "number";
  const textOf = textReader(field);
  const cell: Column["cell"] = (row, context) => ({ text: textOf(row, context) });
  const base = { id, title, importance: 5, min: Math.max(5, Math.min(13, title.length + 1)), max: 40, cell };
  // What changes by itself is not looked through.
  if (field.value.type === "timestamp" || field.source === "clock") {
    return { ...base, align: "right", sortKey: (row, context) => -amountOf(field, row, context) };
  }
  const searched: NonNullable<Column["searched"]> = (row, context) => textOf(row, context);
  if (!isNumber && field.value.type !== "duration") return { ...base, searched };
  return {
    ...base,
    ...{ align: "right", descending: true, searched },
    sortKey: (row, context) => amountOf(field, row, context),
  };
}

function labelColumnOf(id: string, key: string): Column {
  const textOf = (row: Row): string => {
    const labels = labelsOf(row);
    return Object.hasOwn(labels, key) ? (labels[key] ?? "") : "";
  };
  const title = key.toUpperCase();
  return {
    ...{ id, title, importance: 5, min: Math.max(5, Math.min(13, title.length + 1)), max: 32 },
    cell: (row) => ({ text: textOf(row) }),
    searched: textOf,
  };
}

function findFieldOf(kind: string, id: string): QueryField | undefined {
  const type = findKindBySingular(kind)?.type;
  if (type === undefined) return undefined;
  try {
    return findQueryField("columns", type, parsePath("columns", id));
  } catch (error) {
    if (error instanceof ZorError) return undefined;
    throw error;
  }
}

function valuesOf(field: QueryField, row: Row, context: CellContext): readonly unknown[] {
  const facts = { ...noFacts, nowMs: () => context.fleet.hubTimeMs(context.nowMs) };
  return [field.read(row.resource, facts)].flat().filter((value) => value !== undefined && value !== null);
}

/** What values of a field look like in a cell. */
function textReader(field: QueryField): (row: Row, context: CellContext) => string {
  const { value } = field;
  const names =
    value.type === "enum" ? new Map(enumNames(value.values).map(({ name, number }) => [number, name])) : undefined;
  const one = (each: unknown, context: CellContext): string => {
    if (names !== undefined && typeof each === "number") return (names.get(each) ?? `${each}`).toLowerCase();
    if (each instanceof Date) return ageText(each, context);
    if (each instanceof Uint8Array) return `${each.length} bytes`;
    if (typeof each === "boolean") return each ? "yes" : "no";
    if (typeof each === "number" || typeof each === "bigint") return amountText(Number(each), field);
    if (typeof each === "string") return each;
    // Fields of that type hold nothing else.
    if (value.type === "duration") return formatAge(toMs(each as Parameters<typeof toMs>[0]));
    return JSON.stringify(each, (_, inner: unknown) => (typeof inner === "bigint" ? `${inner}` : inner)) ?? "";
  };
  return (row, context) =>
    valuesOf(field, row, context)
      .map((each) => one(each, context))
      .join(",")
      .slice(0, longestText);
}

function amountText(amount: number, { unit }: QueryField): string {
  if (unit?.dimension === "time") return formatAge(amount * unit.factor);
  if (unit?.dimension === "bytes") return formatBytes(Math.round(amount * unit.factor));
  return `${amount}`;
}

function amountOf(field: QueryField, row: Row, context: CellContext): number {
  const [first] = valuesOf(field, row, context);
  if (first instanceof Date) return first.getTime();
  if (field.value.type === "duration" && typeof first === "object") return toMs(first as Parameters<typeof toMs>[0]);
  return first === undefined ? 0 : Number(first);
}
