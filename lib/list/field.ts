import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { invalidArgument } from "../errors.js";
import { descriptors } from "../grpc/descriptors.js";
import { quote } from "../names.js";
import { nearest } from "../nearest.js";
import type { Path } from "../query/tree.js";
import { listed } from "../words.js";

/** What values of a field are. */
export type ValueType =
  | { readonly type: "text" | "number" | "bool" | "bytes" | "timestamp" | "duration" }
  | { readonly type: "enum"; readonly values: DescEnum }
  | { readonly type: "message"; readonly message: DescMessage }
  | { readonly type: "map"; readonly keys: "text" | "number" };

/** A field of a resource, found once by its path; reading it needs no descriptor. */
export interface Field {
  /** As messages to people name it, in snake_case. */
  readonly text: string;
  /** Top-level field of the resource's message that it lies in, by ts-proto's name. */
  readonly top: string;
  readonly value: ValueType;
  /** Whether a resource can have several values here, because something on the path is repeated. */
  readonly isRepeated: boolean;
  /**
   * Whether a test holds for any of the values. An unset field is given to the test once, as undefined; an empty list not at all.
   * @param resource message in the form of ts-proto.
   */
  some(resource: unknown, test: Test): boolean;
}

/** A test of one value, in the form of ts-proto. */
export type Test = (value: unknown) => boolean;

type Read = (message: unknown, test: Test) => boolean;
interface Rest {
  readonly value: ValueType;
  readonly isRepeated: boolean;
  readonly read: Read;
}

/**
 * Finds a field of a type of resource. Segments are field names in snake_case or camelCase; members of a oneof stand like others;
 * what follows a map is its key, which may hold dots.
 * @param where names the request's field in errors.
 * @param type full name of a message, "zor.v1.Instance".
 * @throws {ZorError} INVALID_ARGUMENT that names the fields there are.
 */
export function findField(where: string, type: string, path: Path): Field {
  const message = descriptors().registry.getMessage(type);
  if (message === undefined) throw new Error(`there is no message type ${type}`);
  const rest = follow({ where, path, kind: message.name.toLowerCase() }, message, 0);
  // follow() has found a field for the first segment.
  return {
    text: path.join("."),
    top: topOf(message, path[0] ?? ""),
    value: rest.value,
    isRepeated: rest.isRepeated,
    some: rest.read,
  };
}

/** Names of a message's fields, as people write them. */
export function fieldNames(message: DescMessage): string[] {
  return message.fields.map(({ name }) => name);
}

/** A path that is being followed, for errors. */
export interface Search {
  /** Field of the request that the path stands in. */
  readonly where: string;
  readonly path: Path;
  /** What the resource is called. */
  readonly kind: string;
}

function topOf(message: DescMessage, segment: string): string {
  const field = findMember(message, segment);
  return field?.oneof?.localName ?? field?.localName ?? segment;
}

/** The field of a message that a segment of a path names, in snake_case or camelCase. */
export function findMember(message: DescMessage, segment: string): DescField | undefined {
  return message.fields.find(({ name, localName, jsonName }) => [name, localName, jsonName].includes(segment));
}

function follow(search: Search, message: DescMessage, at: number): Rest {
  const segment = search.path[at] ?? "";
  const field = findMember(message, segment);
  if (field === undefined) throw unknownField(search, message, at);
  const get = getter(field);
  switch (field.fieldKind) {
    case "map":
      return followMap(search, field, get, at + 1);
    case "list":
      return eachOf(get, followValue(search, field, at + 1));
    default: {
      const rest = followValue(search, field, at + 1);
      return { ...rest, read: (parent, test) => rest.read(get(parent), test) };
    }
  }
}

function eachOf(get: (message: unknown) => unknown, rest: Rest): Rest {
  const read: Read = (message, test) => {
    const list = get(message);
    return Array.isArray(list) && list.some((element) => rest.read(element, test));
  };
  return { ...rest, isRepeated: true, read };
}

/** What lies behind a field that holds one value, or behind each value of a list. */
function followValue(
  search: Search,
  field: DescField & { fieldKind: "scalar" | "enum" | "message" | "list" },
  at: number,
): Rest {
  const isEnd = at === search.path.length;
  if (field.enum !== undefined) return end(search, at, { type: "enum", values: field.enum });
  if (field.message === undefined) return end(search, at, scalarType(field.scalar));
  const known = wellKnown(field.message);
  if (known !== undefined) return end(search, at, known);
  return isEnd ? end(search, at, { type: "message", message: field.message }) : follow(search, field.message, at);
}

function followMap(
  search: Search,
  field: DescField & { fieldKind: "map" },
  get: (message: unknown) => unknown,
  at: number,
): Rest {
  if (at === search.path.length) {
    const value: ValueType = { type: "map", keys: field.mapKey === ScalarType.STRING ? "text" : "number" };
    return { value, isRepeated: false, read: (message, test) => test(get(message)) };
  }
  const isDeep = field.mapKind === "message" && wellKnown(field.message) === undefined;
  // Keys of labels hold dots. Where a key is followed by fields, one with dots is written in quotes.
  const key = isDeep ? (search.path[at] ?? "") : search.path.slice(at).join(".");
  const next = isDeep ? at + 1 : search.path.length;
  const rest =
    isDeep && next < search.path.length ? follow(search, field.message, next) : end(search, next, mapValue(field));
  const read: Read = (message, test) => {
    const map = get(message);
    // A key may be called "constructor".
    const value =
      typeof map === "object" && map !== null && Object.hasOwn(map, key) ? Reflect.get(map, key) : undefined;
    return rest.read(value, test);
  };
  return { ...rest, read };
}

function mapValue(field: DescField & { fieldKind: "map" }): ValueType {
  if (field.mapKind === "enum") return { type: "enum", values: field.enum };
  if (field.mapKind === "scalar") return scalarType(field.scalar);
  return wellKnown(field.message) ?? { type: "message", message: field.message };
}

function end(search: Search, at: number, value: ValueType): Rest {
  if (at < search.path.length) {
    const field = search.path.slice(0, at).join(".");
    throw invalidArgument(
      search.where,
      `${quote(search.path.join("."))} is no field: ${quote(field)} has no fields of its own`,
    );
  }
  return { value, isRepeated: false, read: (found, test) => test(found) };
}

/** Reads a field of a message in the form of ts-proto, where a oneof is a field of its own: `{ $case, value }`. */
function getter({ localName, oneof }: DescField): (message: unknown) => unknown {
  if (oneof === undefined) return (message) => property(message, localName);
  return (message) => {
    const union = property(message, oneof.localName);
    return property(union, "$case") === localName ? property(union, "value") : undefined;
  };
}

function property(message: unknown, name: string): unknown {
  return typeof message === "object" && message !== null ? Reflect.get(message, name) : undefined;
}

function scalarType(scalar: ScalarType | undefined): ValueType {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: "text" };
    case ScalarType.BOOL:
      return { type: "bool" };
    case ScalarType.BYTES:
      return { type: "bytes" };
    default:
      return { type: "number" };
  }
}

function wellKnown({ typeName }: DescMessage): ValueType | undefined {
  if (typeName === "google.protobuf.Timestamp") return { type: "timestamp" };
  return typeName === "google.protobuf.Duration" ? { type: "duration" } : undefined;
}

/** The error of a path whose segment `at` is no field of the message it leads to. */
export function unknownField({ where, path, kind }: Search, message: DescMessage, at: number): Error {
  const names = fieldNames(message);
  const near = nearest(path[at] ?? "", names);
  const before = path.slice(0, at);
  const guess = near === undefined ? "" : `; did you mean ${quote([...before, near].join("."))}?`;
  const owner = at === 0 ? `${kind}s have` : `${before.join(".")} has`;
  const text = `${quote(path.join("."))} is not a field${guess}${near === undefined ? ";" : ""} ${owner} ${listed(names)}`;
  return invalidArgument(where, text);
}
