/** A value as it stands in OVSDB's JSON (RFC 7047, section 5.1). */
export type OvsdbValue =
  | string
  | number
  | boolean
  | readonly ["uuid", string]
  | readonly ["named-uuid", string]
  | readonly ["set", readonly OvsdbValue[]]
  | readonly ["map", readonly (readonly [OvsdbValue, OvsdbValue])[]];

/** Columns of a row. */
export type OvsdbRow = Readonly<Record<string, OvsdbValue>>;

/** A map column from a record of strings. */
export function toMapValue(record: Readonly<Record<string, string>>): OvsdbValue {
  return ["map", Object.entries(record)];
}

/** A set column. */
export function toSetValue(values: readonly OvsdbValue[]): OvsdbValue {
  return ["set", values];
}

/** A reference to a row. */
export function toUuidValue(uuid: string): OvsdbValue {
  return ["uuid", uuid];
}

/** Reads a set column; a set of one element travels as the bare element. */
function listValues(value: OvsdbValue | undefined): readonly OvsdbValue[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value[0] === "set") return value[1] as readonly OvsdbValue[]; // RFC 7047: ["set", [...]]
  return [value];
}

/** Uuids in a column that refers to rows. */
export function listUuids(value: OvsdbValue | undefined): readonly string[] {
  return listValues(value).flatMap((item) => (Array.isArray(item) && item[0] === "uuid" ? [String(item[1])] : []));
}

/** Reads a map column. Keys and values become strings: every map we read is string to string or string to integer. */
export function readMap(value: OvsdbValue | undefined): ReadonlyMap<string, string> {
  if (!Array.isArray(value) || value[0] !== "map") return new Map();
  const pairs = value[1] as readonly (readonly [OvsdbValue, OvsdbValue])[]; // RFC 7047: ["map", [[key, value], ...]]
  return new Map(pairs.map(([key, item]) => [String(findScalar(key) ?? ""), String(findScalar(item) ?? "")]));
}

/** Reads an optional scalar column; an empty set is undefined. */
export function findScalar(value: OvsdbValue | undefined): string | number | boolean | undefined {
  const [first] = listValues(value);
  return typeof first === "string" || typeof first === "number" || typeof first === "boolean" ? first : undefined;
}

/** Whether two columns hold the same, whatever the order of sets and maps. */
export function sameValue(left: OvsdbValue | undefined, right: OvsdbValue | undefined): boolean {
  return normal(left) === normal(right);
}

function normal(value: OvsdbValue | undefined): string {
  const isMap = Array.isArray(value) && value[0] === "map";
  const parts = isMap ? [...readMap(value)] : listValues(value);
  return JSON.stringify([isMap, parts.map((part) => JSON.stringify(part)).sort()]);
}
