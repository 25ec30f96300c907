import { toMs } from "../../../lib/duration.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { enumNames } from "../../../lib/list/comparison.js";
import { type Field, findField, type ValueType } from "../../../lib/list/field.js";
import { parsePath } from "../../../lib/query/path.js";
import { figureColumn } from "../../kit/table/figure-column.js";
import { labelText } from "../../kit/table/columns.js";
import type { TableRow } from "./columns.js";
import { jsonText } from "./structured.js";
import type { Column } from "./table.js";

/** A column with a field of resources by its path, "spec.memory_mib" or "labels.site". @throws {ZorError} with the fields there are. */
export function fieldColumn({ type, singular }: Kind, option: string, path: string): Column<TableRow> {
  const measured = figureColumn(singular, path);
  if (measured?.figure !== undefined) {
    const { cell, sortKey } = measured;
    const context = ({ fleet, nowMs }: TableRow) => ({ fleet, nowMs });
    return {
      ...{ title: measured.title, rank: 1, align: "right", figure: measured.figure },
      value: (each) => cell(each.row, context(each)).text,
      sortKey: (each) => sortKey?.(each.row, context(each)) ?? "",
    };
  }
  const field = findField(option, type, parsePath(option, path));
  const label = /^labels\.(.+)$/.exec(path)?.[1];
  return {
    title: (label ?? path).toUpperCase(),
    rank: 1,
    shrinkTo: 10,
    value: ({ row }) => valuesOf(field, row.resource).map(textOf(field.value)).join(","),
    sortKey: ({ row }) => keyOf(field, row.resource),
  };
}

function valuesOf(field: Field, resource: unknown): readonly unknown[] {
  const values: unknown[] = [];
  field.some(resource, (value) => {
    if (value !== undefined) values.push(value);
    return false;
  });
  return values;
}

function textOf(type: ValueType): (value: unknown) => string {
  const names =
    type.type === "enum" ? new Map(enumNames(type.values).map(({ name, number }) => [number, name])) : undefined;
  return (value) => {
    if (names !== undefined && typeof value === "number") return names.get(value) ?? `${value}`;
    if (value instanceof Date) return value.toISOString();
    if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
    if (typeof value !== "object" || value === null) return String(value ?? "");
    // Fields of these types hold nothing else.
    if (type.type === "duration") return `${toMs(value as Parameters<typeof toMs>[0]) / 1000}s`;
    if (type.type === "map") return labelText(value as Readonly<Record<string, string>>);
    return jsonText(
      JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}` : each))),
      false,
    );
  };
}

/** Times, durations and numbers by what they are, everything else by its text. */
function keyOf(field: Field, resource: unknown): string | number {
  const [first] = valuesOf(field, resource);
  if (first instanceof Date) return first.getTime();
  if (field.value.type === "number" || field.value.type === "bool") return Number(first ?? 0);
  if (field.value.type === "duration" && typeof first === "object" && first !== null)
    return toMs(first as Parameters<typeof toMs>[0]);
  return first === undefined ? "" : textOf(field.value)(first);
}
