import type { DescMessage } from "@bufbuild/protobuf";
import { invalidArgument } from "../../lib/errors.js";
import { descriptors } from "../../lib/grpc/descriptors.js";
import { codecOf } from "../../lib/kinds/codecs.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import { typeUrlOf } from "../../lib/kinds/resource.js";
import { findMember } from "../../lib/list/field.js";
import { quote } from "../../lib/names.js";
import type { Any } from "../../proto/gen/google/protobuf/any.js";
import type { Row } from "./row-table.js";

/** What of resources is sent. */
export type FieldPick = (row: Row) => Any;

/** Names of fields as objects have them, and what is taken of each; undefined: all of it. */
interface Wanted {
  readonly fields: Map<string, Wanted | undefined>;
}

const mostPaths = 64;

/** A resource as it is kept. */
export function wholeResource({ kept }: Row): Any {
  return { typeUrl: typeUrlOf(kept.kind), value: kept.bytes() };
}

/** @throws {ZorError} INVALID_ARGUMENT for a path that none of the kinds has. Undefined: all is sent. */
export function readFields(paths: readonly string[] | undefined, kinds: readonly string[]): FieldPick | undefined {
  if (paths === undefined || paths.length === 0) return undefined;
  if (paths.length > mostPaths) throw invalidArgument("fields", `has more than ${mostPaths} paths`);
  const byKind = new Map(kinds.map((kind) => [kind, wantedOf(kind, paths)]));
  for (const path of paths) {
    if (kinds.every((kind) => byKind.get(kind)?.unknown.has(path) === true)) {
      throw invalidArgument("fields", `${quote(path)} is no path of fields such as spec.memory_mib`);
    }
  }
  return ({ kept }) => {
    const codec = codecOf(kept.kind);
    const wanted = byKind.get(kept.kind)?.wanted;
    const value = wanted === undefined ? kept.value : codec.fromPartial(Object(picked(kept.value, wanted)));
    return { typeUrl: typeUrlOf(kept.kind), value: Buffer.from(codec.encode(value).finish()) };
  };
}

function wantedOf(kind: string, paths: readonly string[]): { wanted: Wanted; unknown: Set<string> } {
  const message = descriptors().registry.getMessage(kindNamed(kind).type);
  const wanted: Wanted = { fields: new Map([["name", undefined]]) };
  const unknown = new Set<string>();
  for (const path of paths) {
    if (message === undefined || !want(wanted, message, path.split("."))) unknown.add(path);
  }
  return { wanted, unknown };
}

/** Adds a path; false: there is no such. */
function want(wanted: Wanted, message: DescMessage, [first = "", ...rest]: readonly string[]): boolean {
  const field = findMember(message, first);
  if (field === undefined) return false;
  // What is one of several is sent with which of them it is.
  const name = field.oneof?.localName ?? field.localName;
  const known = wanted.fields.get(name);
  const isWhole = rest.length === 0 || field.oneof !== undefined || (wanted.fields.has(name) && known === undefined);
  if (isWhole || field.fieldKind === "map" || field.fieldKind === "list") {
    wanted.fields.set(name, undefined);
    return field.fieldKind !== "scalar" || rest.length === 0;
  }
  if (field.fieldKind !== "message") return false;
  const inner = known ?? { fields: new Map<string, Wanted | undefined>() };
  if (!want(inner, field.message, rest)) return false;
  wanted.fields.set(name, inner);
  return true;
}

function picked(value: unknown, { fields }: Wanted): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    [...fields].flatMap(([name, inner]) => {
      const found: unknown = Reflect.get(value, name);
      if (found === undefined) return [];
      return [[name, inner === undefined ? found : picked(found, inner)] as const];
    }),
  );
}
