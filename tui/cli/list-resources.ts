import { invalidArgument, notFound } from "../../lib/errors.js";
import { type Kind, kindNamed, livesOnHosts } from "../../lib/kinds/kinds.js";
import type { AnyResource } from "../../lib/kinds/resource.js";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import type { Used } from "../kit/usage/usage.js";
import { chosenBy } from "./chosen.js";
import type { ListingOptions } from "./command.js";
import { getResource, hasLabels, listJson, listKind } from "./kinds.js";
import { pointingOut } from "./output/point-out.js";
import { figuresAsked } from "./output/list-form.js";
import { printList } from "./output/print-list.js";
import { fieldColumns, resourceRows, staleHosts, unreachableNotes } from "./output/show-rows.js";
import { resolveName } from "./resolve.js";
import type { Session } from "./session.js";

/** The order of resources of a kind that has one of its own. */
type Arrange = (resources: readonly AnyResource[]) => readonly AnyResource[];

const asTheyCome: Arrange = (resources) => resources;

/**
 * Prints a list, or the named resources; hosts that could not be asked are named on stderr. As JSON both are the response of a
 * list, however many names there are: whoever reads it need not know how many were asked for. With --watch every change follows.
 */
export async function listResources(
  session: Session,
  kind: Kind,
  names: readonly string[],
  { arrange = asTheyCome, ...given }: ListingOptions & { readonly arrange?: Arrange },
): Promise<void> {
  const options = await pointingOut(session, given.filter, async () => checked(kind, given));
  if (options.watch === true) {
    const { watchResources } = await import("./watch-resources.js");
    await watchResources(session, kind, names, options);
    return;
  }
  const make = await fieldColumns(kind, options);
  const found = await pointingOut(session, options.filter, async () =>
    names.length > 0 ? await findNamed(session, kind, names, options) : await findAll(session, kind, options),
  );
  const { labelColumns = [] } = options;
  const stale = staleHosts(found.unreachable);
  const byName = new Map(found.resources.map((resource) => [resource.value.name, resource]));
  const resources = arrange(found.resources);
  const { columns } = resourceRows([], kind, { labelColumns, stale });
  const figures = figuresAsked(columns, options, make);
  const usage = await usageOf(session, kind, resources, figures);
  await printList(session, options, {
    ...resourceRows(resources, kind, { labelColumns, stale, usage }),
    ...(make === undefined ? {} : { make }),
    nameOf: ({ row }) => row.name,
    json: async (rows) =>
      listJson(
        kind,
        rows.flatMap(({ row }) => byName.get(row.name) ?? []),
        found.unreachable,
      ),
    none: emptyNote(kind, options),
  });
  for (const line of unreachableNotes(found.unreachable)) session.note(line);
}

/** What resources use, where that is shown: it takes time to load, and to come. */
async function usageOf(
  session: Session,
  kind: Kind,
  resources: readonly AnyResource[],
  figures: readonly Figure[],
): Promise<ReadonlyMap<string, Used>> {
  if (figures.length === 0) return new Map();
  const { readUsage } = await import("./measured.js");
  const names = resources.map(({ value }) => value.name);
  return await readUsage(session, kind, names, figures);
}

/** The options as they are asked of the API: a selector is a part of the filter. @throws {ZorError} INVALID_ARGUMENT */
function checked(kind: Kind, options: ListingOptions): ListingOptions {
  const query = chosenBy(kind, options);
  if (options.labelColumns !== undefined && !hasLabels(kind))
    throw invalidArgument("--label-columns", `${kind.plural} have no labels`);
  return { ...options, ...query };
}

interface Found {
  readonly resources: readonly AnyResource[];
  readonly unreachable: readonly Unreachable[];
}

async function findAll(session: Session, kind: Kind, options: ListingOptions): Promise<Found> {
  return listKind(await session.connect(), kind, options, session.readOptions());
}

async function findNamed(
  session: Session,
  kind: Kind,
  names: readonly string[],
  { host, output }: ListingOptions,
): Promise<Found> {
  const connection = await session.connect();
  const resources: AnyResource[] = [];
  for (const text of names) {
    const name = await resolveName(session, kind, text, host);
    const resource = await getResource(connection, kind, name, session.readOptions());
    if (resource === undefined) throw notFound(name);
    resources.push(resource);
  }
  // Only the list of hosts tells how old what lives on them is.
  const asks = livesOnHosts(kind) && output !== "name";
  const { unreachable } = asks
    ? await listKind(connection, kindNamed("host"), {}, session.readOptions())
    : { unreachable: [] };
  const isConcerned = ({ name }: Unreachable) => resources.some(({ value }) => value.name.startsWith(`${name}/`));
  return { resources, unreachable: unreachable.filter(isConcerned) };
}

function emptyNote(kind: Kind, { filter, host }: ListingOptions): string {
  const where = host === undefined ? "" : ` on ${host}`;
  const why = filter === "" ? "" : " match the filter; its fields and values are those that -o json shows";
  return `no ${kind.plural}${where}${why}`;
}
