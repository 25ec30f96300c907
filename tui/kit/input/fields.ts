import { type DescEnum, type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { parseDuration } from "../../../lib/duration.js";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { follow, segmentsOf, type Step } from "../../../lib/kinds/mask.js";
import { quote } from "../../../lib/names.js";
import { nearest } from "../../../lib/nearest.js";
import { listed } from "../../../lib/words.js";

/** Proto3 JSON of a message. */
export type MessageJson = { [field: string]: JsonValue };

/** A field that is given a value. */
export interface Assignment {
  /** As update masks name it, in snake_case: "spec.limit". */
  readonly path: string;
  /** Undefined: it is cleared. */
  readonly value: JsonValue | undefined;
  readonly steps: readonly Step[];
}

/** What fields are assigned to. */
export interface AssignTarget {
  /** Full name of the message: "zor.v1.Lan". */
  readonly type: string;
  /** What messages of that type are called: "lan". */
  readonly called: string;
  /** Option or argument, for errors. */
  readonly where: string;
}

/**
 * Parses "spec.limit=5": the path of a field and a value as people write it. Enums may be short (kvm), durations are 5ms or 2s, lists
 * have commas, lists of messages and messages are JSON; nothing after "=" clears the field.
 * @throws {ZorError} INVALID_ARGUMENT that says which fields, or values, there are.
 */
export function parseAssignment(text: string, { type, called, where }: AssignTarget): Assignment {
  const at = text.indexOf("=");
  if (at <= 0) throw invalidArgument(where, `${quote(text)} does not have the form FIELD=VALUE`);
  const steps = follow(messageType(type), { where, kind: called, path: segmentsOf(text.slice(0, at)) });
  const path = steps.map((step) => step.text).join(".");
  const value = text.slice(at + 1);
  return { path, steps, value: value === "" ? undefined : readValue({ where, path }, steps, value) };
}

/** Puts what was assigned into the JSON of a message. */
export function assign(json: MessageJson, { steps, value }: Assignment): void {
  let owner = json;
  steps.forEach((step, index) => {
    const key = step.field?.jsonName ?? step.text;
    if (index === steps.length - 1) {
      if (value === undefined) delete owner[key];
      else owner[key] = value;
      return;
    }
    const inner = owner[key];
    const next: MessageJson = isObject(inner) ? inner : {};
    owner[key] = next;
    owner = next;
  });
}

/** The type of a message. @throws {Error} when there is none. */
function messageType(name: string): DescMessage {
  const type = descriptors().registry.getMessage(name);
  if (type === undefined) throw new Error(`there is no message type ${name}`);
  return type;
}

interface Place {
  readonly where: string;
  readonly path: string;
}

function readValue(place: Place, steps: readonly Step[], text: string): JsonValue {
  const last = steps.at(-1);
  // A key of a map: the map stands before it.
  const field = last?.field ?? steps.at(-2)?.field;
  if (field === undefined) return text;
  if (field.fieldKind === "map" && last?.field !== undefined) {
    if (text.startsWith("{")) return parseJson(place, text);
    throw invalidArgument(place.where, `${place.path} is a map: give one entry as ${place.path}.KEY=VALUE`);
  }
  if (field.fieldKind === "list") {
    if (text.startsWith("[")) return parseJson(place, text);
    return text.split(",").map((each) => readOne(place, field, each.trim()));
  }
  return readOne(place, field, text);
}

/** One value of a field, of a list's elements or of a map's values. */
function readOne(place: Place, field: DescField, text: string): JsonValue {
  if (field.enum !== undefined) return readEnum(place, field.enum, text);
  if (field.message !== undefined) return readMessage(place, field.message, text);
  if (field.scalar === ScalarType.BOOL) return readBool(place, text);
  if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) return text;
  if (/^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return text;
  throw bad(place, text, "a number");
}

function readBool(place: Place, text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw bad(place, text, "true or false");
}

function readEnum(place: Place, { values, sharedPrefix = "" }: DescEnum, text: string): string {
  const word = text.toUpperCase().replaceAll("-", "_");
  const names = values.map(({ name }) => name);
  const found = names.find((name) => name === word || name === sharedPrefix.toUpperCase() + word);
  if (found !== undefined) return found;
  const short = names
    .map((name) => name.slice(sharedPrefix.length).toLowerCase())
    .filter((each) => each !== "unspecified");
  const near = nearest(text.toLowerCase(), short);
  throw bad(place, text, `${near === undefined ? "" : `(did you mean ${near}?) `}one of ${listed(short, 20, "or")}`);
}

function readMessage(place: Place, { typeName, fields }: DescMessage, text: string): JsonValue {
  if (typeName === "google.protobuf.Duration") {
    const ms = parseDuration(text);
    if (ms === undefined) throw bad(place, text, "a time such as 200us, 5ms, 1.5s, 15m or 2h");
    return `${(ms / 1000).toFixed(9).replace(/\.?0+$/, "")}s`;
  }
  if (typeName === "google.protobuf.Timestamp") return text;
  if (text.startsWith("{")) return parseJson(place, text);
  const names = fields.map(({ name }) => `${place.path}.${name}`);
  throw invalidArgument(place.where, `${place.path} consists of fields: give one of ${listed(names)}, or JSON`);
}

function parseJson(place: Place, text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw invalidArgument(place.where, `${place.path}: ${messageOf(error)}`);
  }
}

function bad({ where, path }: Place, text: string, wanted: string): Error {
  return invalidArgument(where, `${path} cannot be ${quote(text)}: it is ${wanted}`);
}

function isObject(value: JsonValue | undefined): value is MessageJson {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
