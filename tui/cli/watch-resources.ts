import { invalidArgument } from "../../lib/errors.js";
import { type Kind, livesOnHosts } from "../../lib/kinds/kinds.js";
import { type AnyResource, unpack } from "../../lib/kinds/resource.js";
import { parseFilter } from "../../lib/list/filter.js";
import { type WatchResponse, WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";
import { watchResponses } from "../client/watch.js";
import type { ListingOptions } from "./command.js";
import { listJson, listKind } from "./kinds.js";
import { lossReporter } from "./loss-reporter.js";
import { figuresAsked } from "./output/list-form.js";
import { isStructured, type StructuredForm } from "./output/forms.js";
import { fieldColumns, resourceRows, type RowOptions } from "./output/show-rows.js";
import { resolveName } from "./resolve.js";
import type { Session } from "./session.js";
import { WatchRows } from "./watch-rows.js";

/**
 * Prints resources and then every change until the session is interrupted: rows, names, or one WatchResponse as JSON a
 * line. Expressions see a list of what changed, so that they are the same as without a watch. A lost server is told on stderr; what
 * happened meanwhile is printed when it is back.
 */
export async function watchResources(
  session: Session,
  kind: Kind,
  texts: readonly string[],
  options: ListingOptions,
): Promise<void> {
  const connection = await session.connect();
  // Fails at once, with the reason, where the watch would try for ever; and checks the filter.
  await listKind(connection, kind, options, session.readOptions());
  const names = new Set(await Promise.all(texts.map((text) => resolveName(session, kind, text, options.host))));
  const filter = parseFilter(options.filter, kind.type);
  const wanted = (resource: AnyResource): boolean =>
    (names.size === 0 || names.has(resource.value.name)) && filter.matches(resource.value);
  const { output, labelColumns = [] } = options;
  const make = await fieldColumns(kind, options);
  if (!isStructured(output)) refuseFigures(kind, options, make);
  const rows = isStructured(output)
    ? undefined
    : new WatchRows(session, { kind, form: options, wanted, labelColumns, make });
  // Rows of a host that is lost are old: the hosts are watched as well, to say so.
  const withHosts = rows !== undefined && livesOnHosts(kind);
  const watch = watchResponses(connection, {
    kinds: [kind.singular, ...(withHosts ? ["host"] : [])],
    parent: options.host === undefined ? "" : `hosts/${options.host}`,
    signal: session.io.signal,
    onState: lossReporter(session),
  });
  for await (const response of watch) {
    rows?.take(response);
    if (isStructured(output)) await printResponse(session, kind, { output, wanted }, response);
  }
  session.io.signal.throwIfAborted();
}

/** A row is printed when its resource changes, and what it uses is no change of it. @throws {ZorError} INVALID_ARGUMENT when that is asked for by name. */
function refuseFigures(kind: Kind, options: ListingOptions, make: RowOptions["make"]): void {
  const { labelColumns = [], output, columns: asked, sortBy } = options;
  const { columns } = resourceRows([], kind, { labelColumns, stale: new Map() });
  // What is shown unasked is left out.
  const named = {
    output: asked === undefined ? ("table" as const) : output,
    ...(asked === undefined ? {} : { columns: asked }),
  };
  const figures = figuresAsked(columns, { ...named, ...(sortBy === undefined ? {} : { sortBy }) }, make);
  if (figures.length === 0) return;
  throw invalidArgument(
    asked === undefined ? "--sort-by" : "--columns",
    `what is measured does not go with --watch; see zor top, or: zor query --kinds ${kind.plural} 'sort by cpu desc' --watch`,
  );
}

interface Printing {
  readonly output: StructuredForm;
  readonly wanted: (resource: AnyResource) => boolean;
}

async function printResponse(
  session: Session,
  kind: Kind,
  { output, wanted }: Printing,
  response: WatchResponse,
): Promise<void> {
  const { step } = response;
  if (step === undefined || step.$case === "bookmark") return;
  const resource = step.$case === "upsert" ? unpack(step.value) : undefined;
  if (step.$case === "upsert" && (resource === undefined || !wanted(resource))) return;
  if (output !== "json" && output !== "yaml") {
    if (resource !== undefined) await session.printItem(output, await listJson(kind, [resource], []));
    return;
  }
  const { responseJson } = await import("./output/proto-json.js");
  await session.printItem(output, responseJson(WatchServiceService.watch, response));
}
