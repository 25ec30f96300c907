/** An object from JSON whose members are not known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The value when it is an object and no array. */
export function asObject(value: unknown): JsonObject | undefined {
  // The checks leave exactly the values that have string keys.
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** Parses one line of JSON that must be an object; undefined when it is not. */
export function parseObject(line: Buffer): JsonObject | undefined {
  try {
    return asObject(JSON.parse(line.toString("utf8")));
  } catch {
    return undefined;
  }
}

/** A member that is text, else "". */
export function textOf(object: JsonObject | undefined, member: string): string {
  const value = object?.[member];
  return typeof value === "string" ? value : "";
}

/** A member that is a number, else undefined. */
export function numberOf(object: JsonObject | undefined, member: string): number | undefined {
  const value = object?.[member];
  return typeof value === "number" ? value : undefined;
}

/** The objects in a list; none when it is no list. */
export function objectsIn(value: unknown): readonly JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value.map(asObject).filter((each) => each !== undefined);
}
