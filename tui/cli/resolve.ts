import { status } from "@grpc/grpc-js";
import { invalidArgument, notFound, ZorError } from "../../lib/errors.js";
import { parseId, parseName, quote } from "../../lib/names.js";
import { listed } from "../../lib/words.js";
import { idOf, shortName } from "../kit/resource-name.js";
import type { Kind } from "./kinds.js";
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
  const listing = await kind.list(connection, { filter: "", orderBy: "" }, session.readOptions());
  const names = listing.resources.map(({ value }) => value.name);
  const found = names.filter((name) => idOf(name) === text);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length > 1) throw ambiguous(kind, text, found);
  const hosts = listing.unreachable.map(({ name }) => shortName(name));
  throw missing(kind, text, names, hosts);
}

/** {@link resolveName} as far as it goes without asking: undefined when only a list can tell. */
export function resolveLocally(kind: Kind, text: string, host?: string): string | undefined {
  const parts = text.split("/");
  if (/^(hosts|links|operations|events)$/.test(parts[0] ?? "") && parts.length > 1) return checkFull(kind, text);
  const [first = "", second = ""] = parts;
  if (kind.onHost !== undefined && parts.length === 2) {
    return `hosts/${parseId("host", first)}/${kind.onHost}/${parseId("name", second)}`;
  }
  if (parts.length !== 1) throw invalidArgument("name", `${quote(text)} is not the name of ${article(kind)}`);
  const id = parseId("name", text);
  if (kind.onHost === undefined) return `${kind.plural}/${id}`;
  return host === undefined ? undefined : `hosts/${parseId("--host", host)}/${kind.onHost}/${id}`;
}

/** Parses "HOST/NAME" of something to be made. */
export function parseNewName(
  text: string,
  collection: "instances" | "lans" | "a2bs",
): { parent: string; id: string; name: string } {
  const match = new RegExp(`^(?:hosts/)?([^/]*)/(?:${collection}/)?([^/]*)$`).exec(text);
  if (match === null)
    throw invalidArgument("name", `${quote(text)} does not have the form HOST/NAME, for example alpha/new1`);
  const parent = `hosts/${parseId("host", match[1] ?? "")}`;
  const id = parseId("name", match[2] ?? "");
  return { parent, id, name: `${parent}/${collection}/${id}` };
}

function checkFull(kind: Kind, text: string): string {
  const parsed = parseName("name", text);
  const matches =
    parsed.kind === "host"
      ? kind.name === "host"
      : parsed.kind === "onHost"
        ? parsed.collection === kind.onHost
        : parsed.kind === "hub" && parsed.collection === kind.plural;
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
  return notFound(`${kind.name} ${text}`, `${hint}${silent}`);
}

function article({ name }: Kind): string {
  return /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`;
}
