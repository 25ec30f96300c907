import { invalidArgument } from "../errors.js";
import { durationOf, enumNames, timeOf } from "../list/comparison.js";
import type { QueryField } from "./query-field.js";

/** What things are sorted by. "": nothing is known, which comes last in either direction; numbers come before texts. */
export type SortValue = string | number;

/** Makes of what a field holds what is sorted by. @throws {ZorError} INVALID_ARGUMENT for fields that give no order. */
export function sortReader(
  where: string,
  { text, value, isRepeated, source }: QueryField,
): (found: unknown) => SortValue {
  const read = sortOf(where, text, value);
  if (!isRepeated) return read;
  // What is measured is one value, or none.
  if (source === "figures" || source === "links" || text === "host") {
    return (found) => {
      const [first, ...more] = Array.isArray(found) ? (found as unknown[]) : [];
      if (first === undefined) return "";
      return more.reduce<SortValue>((most, each) => {
        const next = read(each);
        return compareSorted(next, most, false) > 0 ? next : most;
      }, read(first));
    };
  }
  throw invalidArgument(where, `${text} can have several values, so it gives no order`);
}

function sortOf(where: string, text: string, value: QueryField["value"]): (found: unknown) => SortValue {
  switch (value.type) {
    case "text":
      return (found) => (typeof found === "string" ? found : "");
    case "number":
      return (found) => finite(Number(found ?? 0));
    case "bool":
      return (found) => (found === true ? 1 : 0);
    case "timestamp":
      return (found) => timeOf(found) ?? "";
    case "duration":
      return (found) => durationOf(found) ?? "";
    case "enum": {
      const names = new Map(enumNames(value.values).map(({ name, number }) => [number, name]));
      return (found) => names.get(typeof found === "number" ? found : 0) ?? "";
    }
    default:
      throw invalidArgument(where, `${text} is not one value, so it gives no order; name a field of it`);
  }
}

/** JSON, of which page tokens are made, knows no other numbers. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

/** Below, at or above 0. What is not known comes last, whatever the direction. */
export function compareSorted(left: SortValue, right: SortValue, descending: boolean): number {
  if (left === right) return 0;
  if (left === "") return 1;
  if (right === "") return -1;
  if (typeof left !== typeof right) return (typeof left === "number" ? -1 : 1) * (descending ? -1 : 1);
  return (left < right ? -1 : 1) * (descending ? -1 : 1);
}
