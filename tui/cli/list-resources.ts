import { notFound } from "../../lib/errors.js";
import { type Kind, kindNamed, livesOnHosts } from "../../lib/kinds/kinds.js";
import type { AnyResource } from "../../lib/kinds/resource.js";
import { escapeText } from "../kit/text/escape.js";
import { getResource, listJson, listKind } from "./kinds.js";
import { resourceTable, type StaleHosts, staleHosts, tableOptions, unreachableNotes } from "./output/show-rows.js";
import { resolveName } from "./resolve.js";
import type { Session } from "./session.js";

/** Forms `zor get` prints. */
type ListFormat = "table" | "wide" | "json" | "yaml" | "name";

/** Options of a list. */
export interface ListOptions {
  readonly output: ListFormat;
  readonly filter: string;
  readonly orderBy: string;
  readonly host?: string;
  /** Labels that have a column of their own. */
  readonly labelColumns?: readonly string[];
}

/**
 * Prints a list, or the named resources; hosts that could not be asked are named on stderr. As JSON both are the response of a
 * list, however many names there are: whoever reads it need not know how many were asked for.
 */
export async function listResources(
  session: Session,
  kind: Kind,
  names: readonly string[],
  options: ListOptions,
): Promise<void> {
  if (names.length > 0) {
    await showNamed(session, kind, names, options);
    return;
  }
  const connection = await session.connect();
  const listing = await listKind(connection, kind, options, session.readOptions());
  if (options.output === "json" || options.output === "yaml") {
    await session.printJson(options.output, await listing.json());
  } else {
    printRows(session, kind, listing.resources, { ...options, stale: staleHosts(listing.unreachable) });
    if (listing.resources.length === 0 && options.output !== "name") session.note(emptyNote(kind, options));
  }
  for (const line of unreachableNotes(listing.unreachable)) session.note(line);
}

async function showNamed(session: Session, kind: Kind, names: readonly string[], options: ListOptions): Promise<void> {
  const connection = await session.connect();
  const resources: AnyResource[] = [];
  for (const text of names) {
    const name = await resolveName(session, kind, text, options.host);
    const resource = await getResource(connection, kind, name, session.readOptions());
    if (resource === undefined) throw notFound(name);
    resources.push(resource);
  }
  // Only the list of hosts tells how old what lives on them is.
  const asks = livesOnHosts(kind) && options.output !== "name";
  const { unreachable } = asks
    ? await listKind(connection, kindNamed("host"), {}, session.readOptions())
    : { unreachable: [] };
  const concerned = unreachable.filter(({ name }) => resources.some(({ value }) => value.name.startsWith(`${name}/`)));
  if (options.output === "json" || options.output === "yaml") {
    await session.printJson(options.output, await listJson(kind, resources, concerned));
  } else printRows(session, kind, resources, { ...options, stale: staleHosts(concerned) });
  for (const line of unreachableNotes(concerned)) session.note(line);
}

function printRows(
  session: Session,
  kind: Kind,
  resources: readonly AnyResource[],
  { output, labelColumns = [], stale }: ListOptions & { readonly stale: StaleHosts },
): void {
  if (output === "name") {
    for (const { value } of resources) session.print(escapeText(value.name));
    return;
  }
  if (resources.length === 0) return;
  const wide = output === "wide";
  const now = new Date();
  const layout = { ...tableOptions(session.io, wide), wide, labelColumns, stale, now: () => now };
  const table = resourceTable(resources, kind, layout);
  session.print(table.header());
  for (const resource of resources) session.print(table.row(resource));
}

function emptyNote(kind: Kind, { filter, host }: ListOptions): string {
  const where = host === undefined ? "" : ` on ${host}`;
  const why = filter === "" ? "" : " match the filter; its fields and values are those that -o json shows";
  return `no ${kind.plural}${where}${why}`;
}
