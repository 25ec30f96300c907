import { status } from "@grpc/grpc-js";
import { failedPrecondition, invalidArgument, ZorError } from "../../../lib/errors.js";
import type { CallOptions, Connection } from "../../../lib/grpc/connection.js";
import { codecOf } from "../../../lib/kinds/codecs.js";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { findStandardMethod } from "../../../lib/kinds/verbs.js";
import { parseFilter } from "../../../lib/list/filter.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { shortName } from "../../kit/resource-name.js";
import { selectedBy } from "../input/selector.js";
import { hasLabels, kindsWith, type Listing, listKind } from "../kinds.js";
import { unreachableNotes } from "../output/show-rows.js";
import type { Session } from "../session.js";
import type { Manifest } from "./manifest.js";

/** Something that no file names any more. */
export interface Surplus {
  readonly kind: Kind;
  readonly name: string;
}

/** What is there of a selector's labels and in none of the files, in an order in which it can be deleted. Hosts are never among it. */
export async function findSurplus(
  session: Session,
  manifests: readonly Manifest[],
  selector: string,
): Promise<readonly Surplus[]> {
  checkOwn(manifests, selector);
  const names = new Set(manifests.map(({ name }) => name));
  const connection = await session.connect();
  const kinds = kindsWith("delete").filter((kind) => isPruned(kind));
  const silent = new Map<string, string>();
  const found: Surplus[] = [];
  for (const kind of kinds) {
    const filter = selectedBy(selector);
    const { resources, unreachable } = await listKnown(connection, kind, filter, session.readOptions());
    for (const [index, { name }] of unreachable.entries())
      silent.set(name, unreachableNotes(unreachable)[index] ?? name);
    const gone = resources.map(({ value }) => value.name).filter((name) => !names.has(name));
    const known = gone.filter((name) => ![...silent.keys()].some((host) => name.startsWith(`${host}/`)));
    found.push(...known.map((name) => ({ kind, name })));
  }
  // Absence is never an order: of a host that does not answer nothing is known.
  for (const note of silent.values()) session.note(`${note}; nothing of it is pruned`);
  return found.sort((one, other) => rankOf(one.kind) - rankOf(other.kind));
}

/** Resources of a kind; none where the server knows no such kind. */
async function listKnown(
  connection: Connection,
  kind: Kind,
  filter: string,
  options: CallOptions,
): Promise<Pick<Listing, "resources" | "unreachable">> {
  try {
    return await listKind(connection, kind, { filter }, options);
  } catch (error) {
    if (error instanceof ZorError && error.code === status.UNIMPLEMENTED) return { resources: [], unreachable: [] };
    throw error;
  }
}

/** @throws {ZorError} when a file describes what the selector does not mean: the next prune would not know it for its own. */
function checkOwn(manifests: readonly Manifest[], selector: string): void {
  if (manifests.length === 0)
    throw failedPrecondition(
      "NOTHING_NAMED",
      "",
      "the files name no resource, and then pruning would delete everything of the selector; delete it with zor delete",
    );
  for (const { kind, name, json, place } of manifests) {
    if (!hasLabels(kind))
      throw invalidArgument(place, `${quote(kind.plural)} have no labels; they do not go with --prune`);
    const value = codecOf(kind.singular).decode(jsonToBytes(kind.type, json));
    if (parseFilter(selectedBy(selector), kind.type).matches(value)) continue;
    throw invalidArgument(
      place,
      `${shortName(name)} does not have the labels of --selector ${selector}, so it would not be pruned once it is in no file; give them to it`,
    );
  }
}

function isPruned(kind: Kind): boolean {
  return kind.singular !== "host" && hasLabels(kind) && findStandardMethod(kind.singular, "list") !== undefined;
}

/** What refers to others goes before them. */
const lastDeleted = ["instance", "volume", "lan", "bridge", "image", "pool"];

function rankOf({ singular }: Kind): number {
  return lastDeleted.indexOf(singular);
}

/** "3 lans and 1 instance". */
export function surplusText(surplus: readonly Surplus[]): string {
  const counts = Map.groupBy(surplus, ({ kind }) => kind);
  return listed(
    [...counts].map(([{ singular, plural }, { length }]) => `${length} ${length === 1 ? singular : plural}`),
  );
}
