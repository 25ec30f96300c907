import {
  type DescField,
  type DescMessage,
  type DescMethod,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { type HostileValue, hostileValues } from "./hostile-values.js";

/** A field somewhere in a request. */
export interface Place {
  readonly method: DescMethod;
  /** The way to it, from the request on. */
  readonly fields: readonly DescField[];
  /** Of a map: which half of an entry. */
  readonly half?: "key" | "value";
  /** "CreateInstance.instance.spec.nics[].name" */
  readonly path: string;
}

/** Every field of every request of the public API: of nested messages, lists, both halves of maps, all members of oneofs. */
export function allPlaces(): readonly Place[] {
  return [...descriptors().registry]
    .filter((type) => type.kind === "service")
    .filter(({ typeName }) => typeName.startsWith("zor.v1."))
    .flatMap(({ methods }) => methods)
    .flatMap((method) => placesOf(method, method.input, []));
}

/** Messages within themselves are followed once. */
function placesOf(method: DescMethod, message: DescMessage, way: readonly DescField[]): Place[] {
  return message.fields.flatMap((field) => {
    if (way.includes(field)) return [];
    const fields = [...way, field];
    const path = [method.name, ...fields.map((each) => nameIn(each))].join(".");
    if (field.fieldKind === "map") {
      const below = field.message === undefined ? [] : placesOf(method, field.message, fields);
      return [
        { method, fields, path: `${path}{key}`, half: "key" as const },
        { method, fields, path: `${path}{value}`, half: "value" as const },
        ...below,
      ];
    }
    const here = { method, fields, path };
    return field.message === undefined ? [here] : [here, ...placesOf(method, field.message, fields)];
  });
}

function nameIn({ name, fieldKind }: DescField): string {
  return fieldKind === "list" ? `${name}[]` : name;
}

/** The hostile values of a place, by its type. */
export function valuesOf({ fields, half }: Place): readonly HostileValue[] {
  const field = fields.at(-1);
  if (field === undefined) return [];
  if (field.fieldKind === "map") return hostileValues(half === "key" ? field.mapKey : (field.scalar ?? kindOf(field)));
  return hostileValues(field.scalar ?? kindOf(field));
}

const kindOf = (field: DescField): "enum" | "message" => (field.enum === undefined ? "message" : "enum");

/** Bytes of a request: the base with a value at a place instead of what is there. `times` more of it in a list or map. */
export function requestBytes(base: JsonValue, place: Place, value: HostileValue, times = 1): Buffer {
  return Buffer.from(messageBytes(place.method.input, base, { ...place, value, times }));
}

/** Bytes of a request as it is. */
export function plainBytes(method: DescMethod, base: JsonValue): Buffer {
  return Buffer.from(plain(method.input, base));
}

/** Well-known types are no objects in JSON. */
const isText = (json: JsonValue): boolean => typeof json === "string";

interface Put extends Pick<Place, "fields" | "half"> {
  readonly value: HostileValue;
  readonly times: number;
}

function plain(type: DescMessage, json: JsonValue): Uint8Array {
  if (type.typeName.startsWith("google.protobuf.") && !isText(json)) return new Uint8Array(0);
  return toBinary(type, fromJson(type, json, { registry: descriptors().registry }));
}

function messageBytes(type: DescMessage, base: JsonValue, put: Put): Uint8Array {
  const [field, ...rest] = put.fields;
  if (field === undefined) return plain(type, base);
  const object = (isText(base) ? {} : base) as JsonObject;
  const siblings = field.oneof?.fields ?? [field];
  const others = Object.fromEntries(
    Object.entries(object).filter(([key]) => !siblings.some((each) => each.jsonName === key)),
  );
  const before = object[field.jsonName];
  const writer = new BinaryWriter().raw(plain(type, others));
  if (rest.length > 0 && field.message !== undefined) {
    const message = field.message;
    const below = (each: JsonValue): Uint8Array => messageBytes(message, each, { ...put, fields: rest });
    if (field.fieldKind === "map") {
      const entry = new BinaryWriter().tag(1, WireType.LengthDelimited).string("k");
      entry.tag(2, WireType.LengthDelimited).bytes(below({}));
      return writer.tag(field.number, WireType.LengthDelimited).bytes(entry.finish()).finish();
    }
    const [first, ...more] = field.fieldKind === "list" ? ((before ?? [{}]) as JsonValue[]) : [before ?? {}];
    writer.tag(field.number, WireType.LengthDelimited).bytes(below(first ?? {}));
    for (const each of more) writer.tag(field.number, WireType.LengthDelimited).bytes(plain(message, each));
    return writer.finish();
  }
  for (let index = 0; index < put.times; index += 1) {
    if (field.fieldKind === "map")
      writer.tag(field.number, WireType.LengthDelimited).bytes(entryBytes(field, put, index));
    else put.value.write(writer.tag(field.number, put.value.wire));
  }
  return writer.finish();
}

/** An entry of a map with a hostile key and a value that is fine, or the other way round. */
function entryBytes(field: DescField & { fieldKind: "map" }, { half, value, times }: Put, index: number): Uint8Array {
  const entry = new BinaryWriter();
  if (half === "key") {
    value.write(entry.tag(1, value.wire));
    if (field.scalar === ScalarType.STRING) entry.tag(2, WireType.LengthDelimited).string("1");
    else if (field.scalar !== undefined) entry.tag(2, WireType.Varint).int32(1);
    return entry.finish();
  }
  entry.tag(1, WireType.LengthDelimited).string(times > 1 ? `${goodKey(field)}${index}` : goodKey(field));
  value.write(entry.tag(2, value.wire));
  return entry.finish();
}

/** A key that is fine in that map, so that its value is looked at. */
function goodKey({ name }: DescField): string {
  return /sysctl/.test(name) ? "net.ipv4.ip_forward" : /tmpfs/.test(name) ? "/t" : "A_1";
}
