import type { Any } from "../../proto/gen/google/protobuf/any.js";
import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";
import { codecOf, type NamedMessage, type ResourceTypes } from "./codecs.js";
import { findKindByType, kindNamed } from "./kinds.js";

/** A resource of any kind on its way between programs and inside them. */
export interface AnyResource {
  /** Singular of its kind. */
  readonly kind: string;
  readonly value: NamedMessage;
}

/** A resource of a kind that is known when this is compiled. */
export interface ResourceOf<K extends keyof ResourceTypes> extends AnyResource {
  readonly kind: K;
  readonly value: ResourceTypes[K];
}

/** A resource of any kind that is known when this is compiled. */
export type KnownResource = { readonly [K in keyof ResourceTypes]: ResourceOf<K> }[keyof ResourceTypes];

const typePrefix = "type.googleapis.com/";

/** Whether a resource is of a kind. */
export function isOfKind<K extends keyof ResourceTypes>(resource: AnyResource, kind: K): resource is ResourceOf<K> {
  return resource.kind === kind;
}

/** A resource as it goes over the wire. */
export function pack(resource: AnyResource): Any {
  return {
    typeUrl: typeUrlOf(resource.kind),
    value: Buffer.from(codecOf(resource.kind).encode(resource.value).finish()),
  };
}

/** Type URL of a kind's message. */
export function typeUrlOf(kind: string): string {
  return typePrefix + kindNamed(kind).type;
}

/** Singular of the kind of a packed resource; undefined: it is of a kind this program does not know. */
export function findPackedKind({ typeUrl }: Pick<Any, "typeUrl">): string | undefined {
  return findKindByType(typeUrl.slice(typeUrl.lastIndexOf("/") + 1))?.singular;
}

/** Unpacks a resource; undefined: it is of a kind this program does not know. @throws {Error} for bytes that are no such message. */
export function unpack(packed: Any): AnyResource | undefined {
  const kind = findPackedKind(packed);
  return kind === undefined ? undefined : { kind, value: codecOf(kind).decode(packed.value) };
}

/** Checks the singulars in a request. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function checkKinds(field: string, singulars: readonly string[], known: readonly string[]): void {
  const unknown = singulars.find((singular) => !known.includes(singular));
  if (unknown === undefined) return;
  throw invalidArgument(field, `${quote(unknown)} is not a kind of resource; the kinds are ${known.join(", ")}`);
}
