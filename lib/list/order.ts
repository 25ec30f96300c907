import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";
import { durationOf, enumNames, timeOf } from "./comparison.js";
import { type Field, findField } from "./field.js";
import { parsePath } from "./filter-syntax.js";

/** What items are sorted by. Numbers come before text, so that the order is total whatever a field holds. */
export type OrderValue = string | number;

/** The order of a list. */
export interface Order {
  /** In one form for all ways to write it. */
  readonly text: string;
  readonly descending: boolean;
  /** Top-level fields, by ts-proto's names, that it looks at. */
  readonly fields: ReadonlySet<string>;
  /** @param resource message in the form of ts-proto. */
  valueOf(resource: unknown): OrderValue;
}

/**
 * Reads "field" or "field desc" for resources of one type. Enums are ordered by their names, unset times and durations come last.
 * @param type full name of the message, "zor.v1.Instance".
 * @throws {ZorError} INVALID_ARGUMENT that names the fields there are.
 */
export function parseOrder(orderBy: string, type: string): Order {
  const [path, direction, ...more] = orderBy.trim().split(/\s+/);
  const isGood = more.length === 0 && (direction === undefined || direction === "asc" || direction === "desc");
  if (path === undefined || path === "" || !isGood) {
    throw invalidArgument("order_by", `${quote(orderBy)} is not a field, or a field and "desc"`);
  }
  const descending = direction === "desc";
  // By name is what most lists want: it needs no descriptors.
  if (path === "name") return { text: `name ${descending}`, descending, fields: new Set(["name"]), valueOf: nameOf };
  const field = findField("order_by", type, parsePath("order_by", path));
  const read = reader(field);
  return {
    text: `${field.text} ${descending}`,
    descending,
    fields: new Set([field.top]),
    valueOf: (resource) => {
      let found: OrderValue = "";
      field.some(resource, (value) => {
        found = read(value);
        return true;
      });
      return found;
    },
  };
}

function nameOf(resource: unknown): OrderValue {
  return (resource as { readonly name: string }).name;
}

/** JSON, of which page tokens are made, knows no other numbers. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

function reader({ text, value, isRepeated }: Field): (value: unknown) => OrderValue {
  if (isRepeated) throw invalidArgument("order_by", `${text} can have several values, so it gives no order`);
  switch (value.type) {
    case "text":
      return (found) => (typeof found === "string" ? found : "");
    case "number":
    case "bool":
      return (found) => finite(Number(found ?? 0));
    case "timestamp":
      return (found) => timeOf(found) ?? "";
    case "duration":
      return (found) => durationOf(found) ?? "";
    case "enum": {
      const names = new Map(enumNames(value.values).map(({ name, number }) => [number, name]));
      return (found) => names.get(typeof found === "number" ? found : 0) ?? "";
    }
    default:
      throw invalidArgument("order_by", `${text} is not one value, so it gives no order; name a field of it`);
  }
}
