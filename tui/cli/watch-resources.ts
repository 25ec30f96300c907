import { parseFilter } from "../../lib/list/filter.js";
import { type Kind, livesOnHosts } from "../../lib/kinds/kinds.js";
import { type AnyResource, unpack } from "../../lib/kinds/resource.js";
import { type WatchResponse, WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";
import { watchResponses } from "../client/watch.js";
import { listKind } from "./kinds.js";
import type { ListOptions } from "./list-resources.js";
import { lossReporter } from "./loss-reporter.js";
import { resolveName } from "./resolve.js";
import type { Session } from "./session.js";
import { WatchRows } from "./watch-rows.js";

/**
 * Prints resources and then every change until the session is interrupted: rows, names, or one WatchResponse as JSON a
 * line. A lost server is told on stderr; what happened meanwhile is printed when it is back.
 */
export async function watchResources(
  session: Session,
  kind: Kind,
  texts: readonly string[],
  options: ListOptions,
): Promise<void> {
  const connection = await session.connect();
  // Fails at once, with the reason, where the watch would try for ever; and checks the filter.
  await listKind(connection, kind, options, session.readOptions());
  const names = new Set(await Promise.all(texts.map((text) => resolveName(session, kind, text, options.host))));
  const filter = parseFilter(options.filter, kind.type);
  const wanted = (resource: AnyResource): boolean =>
    (names.size === 0 || names.has(resource.value.name)) && filter.matches(resource.value);
  const { output } = options;
  const structured = output === "json" || output === "yaml";
  const rows = structured
    ? undefined
    : new WatchRows(session, { kind, output, wanted, labelColumns: options.labelColumns ?? [] });
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
    if (structured) await printResponse(session, output, wanted, response);
  }
  session.io.signal.throwIfAborted();
}

async function printResponse(
  session: Session,
  format: "json" | "yaml",
  wanted: (resource: AnyResource) => boolean,
  response: WatchResponse,
): Promise<void> {
  const { step } = response;
  if (step === undefined || step.$case === "bookmark") return;
  if (step.$case === "upsert") {
    const resource = unpack(step.value);
    if (resource === undefined || !wanted(resource)) return;
  }
  const { responseJson } = await import("./output/proto-json.js");
  const json = responseJson(WatchServiceService.watch, response);
  if (format === "yaml") await session.printJson("yaml", json);
  else session.printJsonLine(json);
}
