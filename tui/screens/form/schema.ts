import { type DescField, type DescMessage, type DescOneof, ScalarType } from "@bufbuild/protobuf";
import { isReadOnly, usualOf } from "./comments.js";

/** What can be put into a field. */
export type Shape =
  | { readonly type: "text" }
  | {
      readonly type: "number";
      readonly whole: boolean;
      readonly least: bigint | undefined;
      readonly isWide: boolean;
      readonly isMib: boolean;
    }
  | { readonly type: "duration" }
  | { readonly type: "time" }
  /** Without `isOptional`, not said is the same as no. */
  | { readonly type: "bool"; readonly isOptional: boolean }
  | { readonly type: "enum"; readonly values: readonly EnumWord[] }
  | { readonly type: "message"; readonly fields: () => readonly FieldSchema[] }
  | { readonly type: "list"; readonly item: FieldSchema }
  /** Entries are texts: "key=value". */
  | { readonly type: "map"; readonly item: FieldSchema }
  | { readonly type: "choice"; readonly members: readonly FieldSchema[] };

/** A value of an enum. */
export interface EnumWord {
  /** As in the API's JSON. */
  readonly name: string;
  /** As people write it; empty: not said. */
  readonly word: string;
  readonly help: string;
}

/** A field of a form, as the API has it. */
export interface FieldSchema {
  /** "memory_mib" */
  readonly name: string;
  readonly jsonName: string;
  /** "memory (MiB)" */
  readonly label: string;
  readonly help: string;
  /** What it is when nothing is said. */
  readonly usual: string;
  /** Of the resource, without places in lists: "spec.nics.lan". */
  readonly path: string;
  readonly shape: Shape;
}

/** What the proto files say of something, by full name. */
export type Comments = (fullName: string) => string;

/** Those fields of a message that people can say something of. @param path of the message in the resource; empty: the resource itself. */
export function fieldsOf(message: DescMessage, path: string, comments: Comments): readonly FieldSchema[] {
  return message.members.flatMap((member) => {
    if (member.kind === "oneof") return [choiceOf(member, path, comments)];
    const help = comments(`${message.typeName}.${member.name}`);
    if (isReadOnly(help) || member.message?.typeName === "google.protobuf.Any") return [];
    return [schemaOf(member, path, comments)];
  });
}

/** The schema of one field. */
function schemaOf(field: DescField, path: string, comments: Comments): FieldSchema {
  const help = comments(`${field.parent.typeName}.${field.name}`);
  const own = joined(path, field.name);
  const base = { name: field.name, jsonName: field.jsonName, path: own, help, usual: usualOf(help) };
  const label = labelOf(field.name);
  if (field.fieldKind === "list") {
    const item = { ...base, label: singular(label), usual: "", shape: shapeOf(field, own, comments) };
    return { ...base, label, shape: { type: "list", item } };
  }
  if (field.fieldKind === "map") {
    const item: FieldSchema = { ...base, label: singular(label), usual: "key=value", shape: { type: "text" } };
    return { ...base, label, shape: { type: "map", item } };
  }
  return { ...base, label, shape: shapeOf(field, own, comments) };
}

function choiceOf(oneof: DescOneof, path: string, comments: Comments): FieldSchema {
  const help = comments(`${oneof.parent.typeName}.${oneof.name}`);
  const members = oneof.fields
    .filter(({ message }) => message?.typeName !== "google.protobuf.Any")
    .map((field) => schemaOf(field, path, comments));
  return {
    ...{ name: oneof.name, jsonName: oneof.localName, label: labelOf(oneof.name), help, usual: "" },
    ...{ path: joined(path, oneof.name), shape: { type: "choice", members } },
  };
}

function shapeOf(field: DescField, path: string, comments: Comments): Shape {
  const { enum: values, message } = field;
  if (values !== undefined) {
    const prefix = (values.sharedPrefix ?? "").length;
    return {
      type: "enum",
      values: values.values.map(({ name, number }) => ({
        name,
        word: number === 0 ? "" : name.slice(prefix).toLowerCase().replaceAll("_", "-"),
        help: comments(`${values.typeName}.${name}`),
      })),
    };
  }
  if (message?.typeName === "google.protobuf.Duration") return { type: "duration" };
  if (message?.typeName === "google.protobuf.Timestamp") return { type: "time" };
  if (message !== undefined) {
    let fields: readonly FieldSchema[] | undefined;
    return {
      type: "message",
      fields: () => {
        fields ??= fieldsOf(message, path, comments);
        return fields;
      },
    };
  }
  const { scalar } = field;
  // Of an optional one "no" is something else than nothing.
  if (scalar === ScalarType.BOOL) return { type: "bool", isOptional: field.proto.proto3Optional };
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES) return { type: "text" };
  const whole = scalar !== ScalarType.DOUBLE && scalar !== ScalarType.FLOAT;
  const isUnsigned = scalar === ScalarType.UINT32 || scalar === ScalarType.UINT64;
  // In the API's JSON numbers that may be too large for others are texts.
  const isWide = scalar === ScalarType.INT64 || scalar === ScalarType.UINT64;
  return { type: "number", isWide, whole, least: isUnsigned ? 0n : undefined, isMib: field.name.endsWith("_mib") };
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

const units: readonly (readonly [RegExp, string])[] = [
  [/_mib$/, " (MiB)"],
  [/_seconds$/, " (seconds)"],
  [/_bytes$/, " (bytes)"],
];

function labelOf(name: string): string {
  const [ending, unit] = units.find(([pattern]) => pattern.test(name)) ?? [/$^/, ""];
  return `${name.replace(ending, "").replaceAll("_", " ")}${unit}`;
}

/** "nic" of "nics", "entry" of "entries". */
function singular(label: string): string {
  if (label.endsWith("ies")) return `${label.slice(0, -3)}y`;
  if (/(sses|xes)$/.test(label)) return label.slice(0, -2);
  return label.endsWith("s") && !label.endsWith("ss") ? label.slice(0, -1) : label;
}
