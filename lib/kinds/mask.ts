import { isDeepStrictEqual } from "node:util";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { invalidArgument } from "../errors.js";
import { descriptors } from "../grpc/descriptors.js";
import { findMember, type Search, unknownField } from "../list/field.js";
import { quote } from "../names.js";
import { listed } from "../words.js";
import { codecOf, type NamedMessage } from "./codecs.js";
import { kindNamed } from "./kinds.js";

/** An update of a resource. */
export interface MaskedUpdate<R extends NamedMessage> {
  /** Singular of the resource's kind. */
  readonly kind: string;
  readonly current: R;
  /** What the request says; only what the mask names is read. */
  readonly wanted: R;
  /** `update_mask` of the request; unset, empty or "*": everything that can be changed. */
  readonly mask: readonly string[] | undefined;
  /** Paths of what can be changed, in snake_case, all below them included: ["labels", "annotations", "spec.rstp"]. */
  readonly changeable: readonly string[];
}

/**
 * The resource as it is to be: of what the mask names it has the wanted values, everything else is as it was. What is named and not
 * set in `wanted` is cleared. Paths are those of AIP-161, "labels.site" and "spec.a_to_b.delay", in snake_case or camelCase; a list is
 * replaced as a whole. A path above what can be changed ("spec") stands for what can be changed below it, and then nothing else below
 * it may be wanted otherwise than it is. Changes neither of the two resources.
 * @throws {ZorError} INVALID_ARGUMENT for paths that do not exist, or of what cannot be changed; it says which there are.
 */
export function applyMask<R extends NamedMessage>({ kind, current, wanted, mask, changeable }: MaskedUpdate<R>): R {
  const type = typeOf(kind);
  const allowed = changeable.map((path) => follow(type, { where: "update_mask", kind, path: segmentsOf(path) }));
  const named = mask === undefined || mask.length === 0 || mask.includes("*") ? topsOf(changeable) : mask;
  let result: unknown = current;
  for (const path of new Set(named)) {
    const steps = follow(type, { where: "update_mask", kind, path: segmentsOf(path) });
    if (allowed.some((each) => isAtOrBelow(steps, each))) {
      result = merge(result, wanted, steps);
      continue;
    }
    const below = allowed.filter((each) => isAtOrBelow(each, steps));
    if (below.length === 0) throw readOnly(path, changeable);
    for (const each of below) result = merge(result, wanted, each);
    const fixed = findOther(valueAt(result, steps), valueAt(wanted, steps), messageAt(type, steps));
    if (fixed !== undefined) throw readOnly(`${textOf(steps)}.${fixed}`, changeable);
  }
  // What was cleared gets its default here. The codec is that of R: it is R's kind.
  return codecOf(kind).fromPartial(Object(result)) as R;
}

/**
 * Paths of the fields in which two resources of a kind differ, as deep as a mask can name them, in snake_case:
 * `applyMask` with them makes the one into the other.
 */
export function changedPaths<R extends NamedMessage>(kind: string, before: R, after: R): string[] {
  return differences(before, after, typeOf(kind)).map((path) => path.join("."));
}

/** A step from a message, or a map, to a value in it. */
export interface Step {
  /** As masks name it. */
  readonly text: string;
  /** Unset: `text` is a key of the map that the step before leads to. */
  readonly field?: DescField;
}

function typeOf(kind: string): DescMessage {
  const { type } = kindNamed(kind);
  const message = descriptors().registry.getMessage(type);
  if (message === undefined) throw new Error(`there is no message type ${type}`);
  return message;
}

/** Segments of a path; one in backquotes may hold dots. */
export function segmentsOf(path: string): string[] {
  const parts = path.match(/`[^`]*`|[^.`]+|(?<=\.|^)(?=\.|$)/gu) ?? [""];
  return parts.map((part) => part.replaceAll("`", ""));
}

/** The steps of a path, as masks have them, from a message. @throws {ZorError} INVALID_ARGUMENT that says which fields there are. */
export function follow(type: DescMessage, search: Search): Step[] {
  const { path, where } = search;
  const steps: Step[] = [];
  let message: DescMessage | undefined = type;
  for (let at = 0; at < path.length; at++) {
    if (message === undefined) throw invalidArgument(where, endOf(path, at, steps.at(-1)?.field));
    const segment = path[at] ?? "";
    const field = findMember(message, segment);
    if (field === undefined) throw unknownField(search, message, at);
    steps.push({ text: field.name, field });
    if (field.fieldKind === "map" && at + 1 < path.length) {
      // Keys of labels hold dots.
      steps.push({ text: path.slice(at + 1).join(".") });
      break;
    }
    message = membersOf(field);
  }
  return steps;
}

function endOf(path: readonly string[], at: number, field: DescField | undefined): string {
  const above = quote(path.slice(0, at).join("."));
  const why = field?.fieldKind === "list" ? `${above} is a list and is replaced as a whole` : `${above} has no fields`;
  return `${quote(path.join("."))} cannot be named: ${why}`;
}

/** Message whose fields can be named below a field; undefined: none can. */
function membersOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind !== "message") return undefined;
  // Times, durations and packed messages are values.
  return field.message.typeName.startsWith("google.protobuf.") ? undefined : field.message;
}

function messageAt(type: DescMessage, steps: readonly Step[]): DescMessage {
  const field = steps.at(-1)?.field;
  return (field === undefined ? undefined : membersOf(field)) ?? type;
}

function textOf(steps: readonly Step[]): string {
  return steps.map(({ text }) => text).join(".");
}

function isAtOrBelow(steps: readonly Step[], above: readonly Step[]): boolean {
  return above.every(({ text }, index) => steps[index]?.text === text);
}

/** First segments, each once. */
function topsOf(paths: readonly string[]): string[] {
  return [...new Set(paths.map((path) => segmentsOf(path)[0] ?? ""))];
}

/** A message with the value at a path taken from another one. */
function merge(current: unknown, wanted: unknown, steps: readonly Step[]): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return wanted;
  const before = read(current, step);
  const value = merge(before, read(wanted, step), rest);
  // To clear something in what is not there changes nothing.
  if (value === undefined && before === undefined) return current;
  return write(current, step, value);
}

function valueAt(message: unknown, steps: readonly Step[]): unknown {
  return steps.reduce(read, message);
}

/** Reads a field of a message in the form of ts-proto, where a oneof is a field of its own: `{ $case, value }`. */
function read(owner: unknown, { text, field }: Step): unknown {
  if (typeof owner !== "object" || owner === null) return undefined;
  if (field === undefined) return Object.hasOwn(owner, text) ? Reflect.get(owner, text) : undefined;
  if (field.oneof === undefined) return Reflect.get(owner, field.localName);
  const union = Object(Reflect.get(owner, field.oneof.localName));
  return union.$case === field.localName ? union.value : undefined;
}

function write(owner: unknown, { text, field }: Step, value: unknown): unknown {
  const copy = Object.entries(Object(owner));
  if (field === undefined) {
    const others = copy.filter(([key]) => key !== text);
    return Object.fromEntries(value === undefined ? others : [...others, [text, value]]);
  }
  const name = field.oneof?.localName ?? field.localName;
  const written = field.oneof === undefined || value === undefined ? value : { $case: field.localName, value };
  return { ...Object.fromEntries(copy), [name]: written };
}

/** Path below a message of the first thing that is wanted and is not so; what is not set is not wanted. */
function findOther(is: unknown, wanted: unknown, type: DescMessage): string | undefined {
  for (const field of type.fields) {
    const step = { text: field.name, field };
    const [a, b] = [read(is, step), read(wanted, step)];
    if (isUnset(b) || isDeepStrictEqual(a, b)) continue;
    const members = membersOf(field);
    if (members === undefined) return field.name;
    const below = findOther(a, b, members);
    if (below !== undefined) return `${field.name}.${below}`;
  }
  return undefined;
}

function isUnset(value: unknown): boolean {
  if (value === undefined || value === "" || value === 0 || value === 0n || value === false) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return typeof value === "object" && value !== null && !(value instanceof Date) && Object.keys(value).length === 0;
}

function differences(before: unknown, after: unknown, type: DescMessage): string[][] {
  return type.fields.flatMap((field) => {
    const step = { text: field.name, field };
    const [a, b] = [read(before, step), read(after, step)];
    if (isDeepStrictEqual(a, b)) return [];
    if (field.fieldKind === "map") return changedKeys(Object(a), Object(b)).map((key) => [field.name, key]);
    const members = membersOf(field);
    if (members !== undefined && a !== undefined && b !== undefined) {
      return differences(a, b, members).map((path) => [field.name, ...path]);
    }
    // Of a oneof that holds another member now, setting that one says it all.
    const isReplaced = field.oneof !== undefined && b === undefined && read(after, unionStep(field)) !== undefined;
    return isReplaced ? [] : [[field.name]];
  });
}

function changedKeys(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): string[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].filter((key) => !isDeepStrictEqual(read(a, { text: key }), read(b, { text: key })));
}

function unionStep(field: DescField): Step {
  return { text: field.oneof?.localName ?? field.localName };
}

function readOnly(path: string, changeable: readonly string[]): Error {
  const known = listed(changeable.map((each) => `"${each}"`));
  return invalidArgument("update_mask", `${quote(path)} cannot be changed; what can be changed is ${known}`);
}
