import type { JsonValue } from "@bufbuild/protobuf";

/** A value of the API's JSON as a text; what consists of others as JSON, and nothing as nothing. */
export function scalarText(value: JsonValue | undefined): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return `${value}`;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
