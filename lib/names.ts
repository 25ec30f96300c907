import { invalidArgument } from "./errors.js";
import { findKindByPlural, livesOnHosts, livesOnHub } from "./kinds/kinds.js";

/** Letters, digits, "-", "_", "."; starts with a letter or digit; at most 63 long. */
const idPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A checked last segment of a resource name. It can be passed to any tool: it holds no separator and is never an option. */
export type ResourceId = Branded<"ResourceId">;

/** Checks an id; `field` names the request field in the error. */
export function parseId(field: string, value: string): ResourceId {
  if (!idPattern.test(value)) {
    throw invalidArgument(
      field,
      `${quote(value)} is not a valid name: use 1 to 63 letters, digits, "-", "_" or ".", starting with a letter or digit`,
    );
  }
  return value as ResourceId;
}

/** Whether a string is a valid id. */
export function isId(value: string): value is ResourceId {
  return idPattern.test(value);
}

/** A parsed resource name; a collection is the plural of a kind. */
export type ParsedName =
  | { readonly kind: "host"; readonly host: ResourceId }
  | { readonly kind: "onHost"; readonly host: ResourceId; readonly collection: string; readonly id: ResourceId }
  | { readonly kind: "nic"; readonly host: ResourceId; readonly instance: ResourceId; readonly nic: ResourceId }
  | { readonly kind: "hub"; readonly collection: string; readonly id: ResourceId };

/** Parses any resource name; throws INVALID_ARGUMENT that names `field`. */
export function parseName(field: string, name: string): ParsedName {
  const parts = name.split("/");
  const [first = "", second = "", third = "", fourth = "", fifth = "", sixth = ""] = parts;
  if (parts.length === 2 && first === "hosts") return { kind: "host", host: parseId(field, second) };
  if (parts.length === 2 && isCollection(first, livesOnHub)) {
    return { kind: "hub", collection: first, id: parseId(field, second) };
  }
  if (parts.length === 4 && first === "hosts" && isCollection(third, livesOnHosts)) {
    return { kind: "onHost", host: parseId(field, second), collection: third, id: parseId(field, fourth) };
  }
  if (parts.length === 6 && first === "hosts" && third === "instances" && fifth === "nics") {
    return {
      kind: "nic",
      host: parseId(field, second),
      instance: parseId(field, fourth),
      nic: parseId(field, sixth),
    };
  }
  throw invalidArgument(field, `${quote(name)} is not a resource name such as "hosts/alpha/instances/vm1"`);
}

function isCollection(plural: string, lives: typeof livesOnHub): boolean {
  const kind = findKindByPlural(plural);
  return kind !== undefined && lives(kind);
}

/** Parses "hosts/{host}/{collection}/{id}" of one collection. */
export function parseOnHost(
  field: string,
  name: string,
  collection: string,
): { readonly host: ResourceId; readonly id: ResourceId } {
  const parsed = parseName(field, name);
  if (parsed.kind === "onHost" && parsed.collection === collection) return { host: parsed.host, id: parsed.id };
  throw invalidArgument(field, `${quote(name)} does not have the form "hosts/{host}/${collection}/{id}"`);
}

/** Parses "hosts/{host}". */
export function parseHost(field: string, name: string): ResourceId {
  const parsed = parseName(field, name);
  if (parsed.kind === "host") return parsed.host;
  throw invalidArgument(field, `${quote(name)} does not have the form "hosts/{host}"`);
}

/** Parses a list's parent: "hosts/{host}", or "hosts/-" (and, where `emptyIsAll`, "") for every host, told as "-". */
export function parseHostParent(field: string, parent: string, emptyIsAll = false): ResourceId | "-" {
  if (parent === "hosts/-" || (emptyIsAll && parent === "")) return "-";
  return parseHost(field, parent);
}

/** Parses "links/{link}". */
export function parseLink(field: string, name: string): ResourceId {
  const parsed = parseName(field, name);
  if (parsed.kind === "hub" && parsed.collection === "links") return parsed.id;
  throw invalidArgument(field, `${quote(name)} does not have the form "links/{link}"`);
}

/** The host segment of any name or parent, for routing; undefined when it belongs to the hub. */
export function findHostSegment(field: string, name: string): ResourceId | undefined {
  const parsed = parseName(field, name);
  return parsed.kind === "hub" ? undefined : parsed.host;
}

/** A value as it may stand in a message: escaped, quoted and cut at 80 characters, or as many as are given. */
export function quote(value: string, { maxCharacters = 80 }: { readonly maxCharacters?: number } = {}): string {
  const cut = value.length > maxCharacters ? `${value.slice(0, maxCharacters)}...` : value;
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The host that all of these resources are on; "": they are not on one. */
export function commonParent(names: readonly string[]): string {
  const hosts = new Set(names.map((name) => /^hosts\/[^/]+/.exec(name)?.[0] ?? ""));
  const [only = ""] = hosts;
  return hosts.size === 1 ? only : "";
}
