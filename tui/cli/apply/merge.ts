import { isDeepStrictEqual } from "node:util";
import type { DescField, DescMessage, JsonValue } from "@bufbuild/protobuf";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { bytesToJson, jsonToBytes } from "../../../lib/grpc/json.js";
import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { findMember } from "../../../lib/list/field.js";
import type { MessageJson } from "../../kit/input/fields.js";

/**
 * A resource as it is with what a file says of it: what the file does not name stays, in lists too as far as their elements have names
 * or are there already. null clears a field.
 */
export function mergedWith(kind: Kind, current: NamedMessage, said: MessageJson): NamedMessage {
  const json = jsonOf(kind, current);
  const message = typeOf(kind.type);
  return codecOf(kind.singular).decode(jsonToBytes(kind.type, mergeMessage(message, json, said)));
}

/** Proto3 JSON of a resource. */
export function jsonOf({ singular, type }: Kind, resource: NamedMessage): MessageJson {
  // Messages of kinds are JSON objects.
  return bytesToJson(type, codecOf(singular).encode(resource).finish()) as MessageJson;
}

/** The value at a path of an update mask in the JSON of a resource; undefined: there is none. */
export function valueAt(kind: Kind, resource: MessageJson, path: string): JsonValue | undefined {
  let message: DescMessage | undefined = typeOf(kind.type);
  let value: JsonValue | undefined = resource;
  const segments = path.split(".");
  for (let at = 0; at < segments.length; at++) {
    if (!isObject(value)) return undefined;
    const field: DescField | undefined = message === undefined ? undefined : findMember(message, segments[at] ?? "");
    // Keys of maps hold dots.
    if (field === undefined) return own(value, segments.slice(at).join("."));
    value = own(value, field.jsonName);
    message = field.fieldKind === "message" ? field.message : undefined;
  }
  return value;
}

function typeOf(type: string): DescMessage {
  const message = descriptors().registry.getMessage(type);
  if (message === undefined) throw new Error(`there is no message type ${type}`);
  return message;
}

function mergeMessage(message: DescMessage, current: MessageJson, said: MessageJson): MessageJson {
  const merged: MessageJson = { ...current };
  for (const [key, value] of Object.entries(said)) {
    const field = findMember(message, key);
    // The types were checked when the file was read.
    if (field === undefined) continue;
    for (const sibling of field.oneof?.fields ?? []) if (sibling !== field) delete merged[sibling.jsonName];
    if (value === null) delete merged[field.jsonName];
    else merged[field.jsonName] = mergeValue(field, merged[field.jsonName], value);
  }
  return merged;
}

function mergeValue(field: DescField, current: JsonValue | undefined, said: JsonValue): JsonValue {
  if (field.fieldKind === "map" && isObject(said)) {
    const merged: MessageJson = { ...(isObject(current) ? current : {}) };
    for (const [key, value] of Object.entries(said)) {
      if (value === null) delete merged[key];
      else merged[key] = value;
    }
    return merged;
  }
  const members = membersOf(field);
  if (members === undefined) return said;
  if (field.fieldKind === "list" && Array.isArray(said)) {
    const before = Array.isArray(current) ? current : [];
    return said.map((element) => mergeElement(members, before, element));
  }
  return isObject(said) ? mergeMessage(members, isObject(current) ? current : {}, said) : said;
}

/** An element of a list with what is not said of it: that of the element of its name, or of one that is as it is said already. */
function mergeElement(message: DescMessage, before: readonly JsonValue[], said: JsonValue): JsonValue {
  if (!isObject(said)) return said;
  const name = own(said, "name");
  const known = before.find((each) =>
    isObject(each) && typeof name === "string" && name !== ""
      ? own(each, "name") === name
      : isObject(each) && isDeepStrictEqual(mergeMessage(message, each, said), each),
  );
  return isObject(known) ? mergeMessage(message, known, said) : said;
}

function membersOf(field: DescField): DescMessage | undefined {
  const isMessage = field.fieldKind === "message" || field.fieldKind === "list";
  const message = isMessage ? field.message : undefined;
  return message?.typeName.startsWith("google.protobuf.") === true ? undefined : message;
}

function own(value: MessageJson, key: string): JsonValue | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function isObject(value: JsonValue | undefined): value is MessageJson {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
