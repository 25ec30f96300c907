import { status } from "@grpc/grpc-js";
import { invalidArgument, notFound, ZorError } from "../../lib/errors.js";
import { findKindByPlural, type Kind, kindNamed, livesOnHosts, livesOnHub } from "../../lib/kinds/kinds.js";
import { parseId, parseName, quote } from "../../lib/names.js";
import { listed } from "../../lib/words.js";
import { idOf, shortName } from "../kit/resource-name.js";
import { listKind } from "./kinds.js";
import { nearest } from "../../lib/nearest.js";
import type { Session } from "./session.js";

/**
 * The full resource name of what a person wrote: a full name as it is, "alpha/vm1", or "vm1" when it is on `host` or when
 * only one resource of the kind has that id.
 * @throws {ZorError} INVALID_ARGUMENT for a bad name, and with the candidates for an ambiguous one; NOT_FOUND with the
 * nearest name when there is none.
 */
export async function resolveName(session: Session, kind: Kind, text: string, host?: string): Promise<string> {
  const local = resolveLocally(kind, text, host);
  if (local !== undefined) return local;
  const connection = await session.connect();
  const listing = await listKind(connection, kind, {}, session.readOptions());
  const names = listing.resources.map(({ value }) => value.name);
  const found = names.filter((name) => idOf(name) === text);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length > 1) throw ambiguous(kind, text, found);
  const hosts = listing.unreachable.map(({ name }) => shortName(name));
  throw missing(kind, text, names, hosts);
}

/** {@link resolveName} of a kind by its singular. */
export function resolveWord(session: Session, kind: string, text: string, host: string | undefined): Promise<string> {
  return resolveName(session, kindNamed(kind), text, host);
}

/** {@link resolveName} as far as it goes without asking: undefined when only a list can tell. */
export function resolveLocally(kind: Kind, text: string, host?: string): string | undefined {
  const parts = text.split("/");
  const [first = "", second = ""] = parts;
  if (parts.length > 1 && isCollection(first)) return checkFull(kind, text);
  if (livesOnHosts(kind) && parts.length === 2) {
    return `hosts/${parseId("host", first)}/${kind.plural}/${parseId("name", second)}`;
  }
  if (parts.length !== 1) throw invalidArgument("name", `${quote(text)} is not the name of ${article(kind)}`);
  const id = parseId("name", text);
  if (!livesOnHosts(kind)) return `${kind.plural}/${id}`;
  return host === undefined ? undefined : `hosts/${parseId("--host", host)}/${kind.plural}/${id}`;
}

/** Name of something to be made. */
export interface NewName {
  /** "hosts/alpha"; "" for what lives on the hub. */
  readonly parent: string;
  readonly id: string;
  readonly name: string;
}

/** Parses the name of something to be made: "HOST/NAME", "NAME" of what lives on the hub, or the full name. */
export function parseNewName(text: string, kind: Kind): NewName {
  const { plural } = kind;
  if (!livesOnHosts(kind)) {
    const id = parseId("name", text.startsWith(`${plural}/`) ? text.slice(plural.length + 1) : text);
    return { parent: "", id, name: `${plural}/${id}` };
  }
  const match = new RegExp(`^(?:hosts/)?([^/]*)/(?:${plural}/)?([^/]*)$`).exec(text);
  if (match === null)
    throw invalidArgument("name", `${quote(text)} does not have the form HOST/NAME, for example alpha/new1`);
  const parent = `hosts/${parseId("host", match[1] ?? "")}`;
  const id = parseId("name", match[2] ?? "");
  return { parent, id, name: `${parent}/${plural}/${id}` };
}

/** The kind that a full name tells; undefined: it is not a full name. */
export function kindOfFullName(text: string): Kind | undefined {
  const parts = text.split("/");
  if (parts.length !== 2 && parts.length !== 4) return undefined;
  const kind = findKindByPlural(parts.at(-2) ?? "");
  return isCollection(parts[0] ?? "") ? kind : undefined;
}

/** Whether names of a collection of the hub begin like this. */
function isCollection(segment: string): boolean {
  const kind = findKindByPlural(segment);
  return kind !== undefined && livesOnHub(kind);
}

function checkFull(kind: Kind, text: string): string {
  const parsed = parseName("name", text);
  const matches =
    parsed.kind === "host"
      ? kind.singular === "host"
      : (parsed.kind === "onHost" || parsed.kind === "hub") && parsed.collection === kind.plural;
  if (matches) return text;
  throw invalidArgument("name", `${quote(text)} is not the name of ${article(kind)}`);
}

function ambiguous(kind: Kind, text: string, names: readonly string[]): ZorError {
  const candidates = listed(names.map(shortName), 8, "or");
  return new ZorError({
    reason: "AMBIGUOUS_NAME",
    code: status.INVALID_ARGUMENT,
    message: `${names.length} ${kind.plural} are called ${text}: say which, ${candidates}`,
    metadata: { candidates: names.slice(0, 8).join(",") },
  });
}

function missing(kind: Kind, text: string, names: readonly string[], unreachable: readonly string[]): ZorError {
  const near = nearest(text, names.map(idOf));
  const hint = near === undefined ? `list them with: zor get ${kind.plural}` : `did you mean ${near}?`;
  const silent = unreachable.length === 0 ? "" : ` (unreachable and perhaps holding it: ${unreachable.join(", ")})`;
  return notFound(`${kind.singular} ${text}`, `${hint}${silent}`);
}

function article({ singular }: Kind): string {
  return /^[aeiou]/.test(singular) ? `an ${singular}` : `a ${singular}`;
}
