import { invalidArgument } from "../../lib/errors.js";
import type { CallOptions, Connection } from "../../lib/grpc/connection.js";
import { codecOf, type NamedMessage } from "../../lib/kinds/codecs.js";
import { allKinds, findKind, type Kind, livesOnHosts } from "../../lib/kinds/kinds.js";
import type { AnyResource } from "../../lib/kinds/resource.js";
import {
  findStandardMethod,
  requestOf,
  responseField,
  type StandardMethod,
  type StandardVerb,
} from "../../lib/kinds/verbs.js";
import { quote } from "../../lib/names.js";
import { askedFor, nearest } from "../../lib/nearest.js";
import { listed } from "../../lib/words.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import { tuiKinds } from "../kinds/index.js";

/** Which resources of a kind are wanted. */
export interface ListQuery {
  /** Only those on this host; kinds that live on hosts only. */
  readonly host?: string | undefined;
  readonly filter: string;
  readonly orderBy: string;
}

/** All pages of a list as one. */
export interface Listing {
  readonly resources: readonly AnyResource[];
  readonly unreachable: readonly Unreachable[];
  /** The API's response, as if it had come in one page, for JSON. */
  json(): Promise<unknown>;
}

/** Items asked for at once; a server may give fewer. */
const pageSize = 1000;
/** Everything of a kind. */
const everything: ListQuery = { filter: "", orderBy: "" };

/** Kinds of which the API has a method for a verb: those that this program says more about first, in its order. */
export function kindsWith(verb: StandardVerb): readonly Kind[] {
  const all = allKinds();
  const said = tuiKinds.flatMap(({ kind }) => all.filter(({ singular }) => singular === kind));
  return [...new Set([...said, ...all])].filter(({ singular }) => findStandardMethod(singular, verb) !== undefined);
}

/**
 * The kind of a word such as "instances", "instance" or "vm". @throws {ZorError} INVALID_ARGUMENT with the nearest word and the kinds
 * there are, when it is none of those that the verb goes with.
 */
export function parseKind(word: string, verb: StandardVerb): Kind {
  const known = kindsWith(verb);
  const kind = findKind(word);
  if (kind !== undefined && known.includes(kind)) return kind;
  const plurals = known.map(({ plural }) => plural);
  const near = nearest(word, [...known.flatMap(({ singular }) => singular), ...plurals]);
  throw invalidArgument(
    "kind",
    `${quote(word)} is not a kind of resource${askedFor(near)}The kinds are ${listed(plurals)}`,
  );
}

/** The method of a kind for a verb. @throws {ZorError} INVALID_ARGUMENT when the API has none. */
export function standardMethod(kind: Kind, verb: StandardVerb): StandardMethod {
  const found = findStandardMethod(kind.singular, verb);
  if (found !== undefined) return found;
  throw invalidArgument("kind", `the API has no way to ${verb} ${kind.plural}`);
}

/** Lists resources of a kind. */
export async function listKind(
  connection: Connection,
  kind: Kind,
  query: Partial<ListQuery>,
  options: CallOptions,
): Promise<Listing> {
  const { method, rule } = standardMethod(kind, "list");
  const { host, filter, orderBy } = { ...everything, ...query };
  const items: unknown[] = [];
  let pageToken = "";
  for (;;) {
    const request = requestOf(method, { ...parentOf(kind, rule.route, host), filter, orderBy, pageSize, pageToken });
    const response = await connection.unary(method, request, options);
    items.push(...asList(responseField(response, rule.response)));
    pageToken = String(responseField(response, "nextPageToken") ?? "");
    if (pageToken !== "") continue;
    return {
      resources: items.map((value) => asResource(kind, value)),
      // What every list has.
      unreachable: asList(responseField(response, "unreachable")) as readonly Unreachable[],
      json: () => toListJson(kind, Object(response), items),
    };
  }
}

/** The first of a kind, so many as a list gives at once. */
export async function listPage(
  connection: Connection,
  kind: Kind,
  query: Partial<ListQuery>,
  options: CallOptions,
): Promise<readonly AnyResource[]> {
  const { method, rule } = standardMethod(kind, "list");
  const { host, filter, orderBy } = { ...everything, ...query };
  const request = requestOf(method, { ...parentOf(kind, rule.route, host), filter, orderBy, pageSize });
  const response = await connection.unary(method, request, options);
  return asList(responseField(response, rule.response)).map((value) => asResource(kind, value));
}

/** The resource of a name; undefined: the server says nothing of it. @throws {ZorError} NOT_FOUND */
export async function getResource(
  connection: Connection,
  kind: Kind,
  name: string,
  options: CallOptions,
): Promise<AnyResource | undefined> {
  const { method, rule } = standardMethod(kind, "get");
  const response = await connection.unary(method, requestOf(method, { name }), options);
  const value = responseField(response, rule.response);
  return value === undefined ? undefined : asResource(kind, value);
}

/** Resources of a kind as the response of a list that holds just them, for JSON. */
export function listJson(
  kind: Kind,
  resources: readonly AnyResource[],
  unreachable: readonly Unreachable[],
): Promise<unknown> {
  const rest = { nextPageToken: "", totalSize: resources.length, unreachable: [...unreachable] };
  return toListJson(
    kind,
    rest,
    resources.map(({ value }) => value),
  );
}

/** Whether resources of a kind have labels. */
export function hasLabels({ singular }: Kind): boolean {
  return "labels" in codecOf(singular).fromPartial({});
}

async function toListJson(kind: Kind, response: object, items: readonly unknown[]): Promise<unknown> {
  const { method, rule } = standardMethod(kind, "list");
  const { responseJson } = await import("./output/proto-json.js");
  return responseJson(method, { ...response, [rule.response ?? kind.plural]: items });
}

/** The host, or every host; kinds that live on the hub as well have no parent there. */
function parentOf(kind: Kind, route: string, host: string | undefined): { readonly parent?: string } {
  if (route !== "parent" || !livesOnHosts(kind)) return {};
  return { parent: host === undefined && kind.scope === "both" ? "" : `hosts/${host ?? "-"}` };
}

function asResource({ singular }: Kind, value: unknown): AnyResource {
  // The rules say that the field holds resources of the kind.
  return { kind: singular, value: value as NamedMessage };
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
