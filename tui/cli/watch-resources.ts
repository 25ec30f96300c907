import { parseFilter } from "../../lib/list/filter.js";
import { type AnyResource, kindByCase, nameOf } from "../../lib/watch/kinds.js";
import {
  type Resource,
  Resource as ResourceType,
  type WatchResponse,
  WatchServiceService,
} from "../../proto/gen/zor/v1/watch_service.js";
import { escapeText } from "../client/escape.js";
import { shortName } from "../client/short-name.js";
import { type ConnectionState, watchResponses } from "../client/watch.js";
import type { Kind } from "./kinds.js";
import type { ListOptions } from "./list-resources.js";
import { type ResourceTable, resourceTable, tableOptions } from "./output/show-rows.js";
import { resolveName } from "./resolve.js";
import type { Session } from "./session.js";

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
  // Fails at once, with the reason, where the watch would try for ever; and checks filter and order.
  await kind.list(connection, options, session.callOptions(15_000));
  const names = new Set(await Promise.all(texts.map((text) => resolveName(session, kind, text, options.host))));
  const filter = options.filter.trim() === "" ? undefined : parseFilter(options.filter);
  const wanted = (resource: AnyResource): boolean =>
    (names.size === 0 || names.has(resource.value.name)) && (filter === undefined || filter(toJson(resource)));
  const printer =
    options.output === "json" || options.output === "yaml"
      ? jsonPrinter(session, options.output, wanted)
      : rowPrinter(session, kind, options, wanted);
  const watch = watchResponses(connection, {
    kinds: [kindByCase[kind.name]],
    parent: options.host === undefined ? "" : `hosts/${options.host}`,
    signal: session.io.signal,
    onState: lossReporter(session),
  });
  for await (const response of watch) await printer(response);
  session.io.signal.throwIfAborted();
}

type Printer = (response: WatchResponse) => Promise<void>;

function jsonPrinter(session: Session, format: "json" | "yaml", wanted: (resource: AnyResource) => boolean): Printer {
  return async (response) => {
    const { step } = response;
    if (step === undefined || step.$case === "bookmark") return;
    if (step.$case === "upsert" && (step.value.resource === undefined || !wanted(step.value.resource))) return;
    const { responseJson } = await import("./output/proto-json.js");
    const json = responseJson(WatchServiceService.watch, response);
    if (format === "yaml") await session.printJson("yaml", json);
    else session.printJsonLine(json);
  };
}

function rowPrinter(
  session: Session,
  kind: Kind,
  options: ListOptions,
  wanted: (resource: AnyResource) => boolean,
): Printer {
  let shown = new Map<string, string>();
  let snapshot: Map<string, AnyResource> | undefined = new Map();
  let table: ResourceTable | undefined;
  const print = (resources: readonly AnyResource[]): void => {
    if (options.output === "name") {
      for (const resource of resources) session.print(escapeText(nameOf(resource)));
      return;
    }
    if (resources.length === 0) return;
    const wide = options.output === "wide";
    if (table === undefined || !resources.every((resource) => table?.fits(resource))) {
      table = resourceTable(resources, kind.name, {
        ...tableOptions(session.io, wide),
        wide,
        stale: new Map(),
        now: () => new Date(),
      });
      session.print(table.header());
    }
    for (const resource of resources) session.print(table.row(resource));
  };
  const gone = (name: string): void =>
    session.print(escapeText(`${options.output === "name" ? name : shortName(name)} is gone`));
  const endSnapshot = (resources: ReadonlyMap<string, AnyResource>): void => {
    const before = shown;
    shown = new Map([...resources].map(([name, resource]) => [name, fingerprint(resource)]));
    for (const name of before.keys()) if (!shown.has(name)) gone(name);
    const changed = [...resources.values()].filter(
      (resource) => before.get(nameOf(resource)) !== shown.get(nameOf(resource)),
    );
    print(changed.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)));
  };
  return async ({ step }) => {
    if (step?.$case === "reset") snapshot = new Map();
    if (step?.$case === "snapshotEnd" && snapshot !== undefined) {
      endSnapshot(snapshot);
      snapshot = undefined;
    }
    if (step?.$case === "removed") {
      snapshot?.delete(step.value.name);
      if (shown.delete(step.value.name)) gone(step.value.name);
    }
    const resource = step?.$case === "upsert" ? step.value.resource : undefined;
    if (resource === undefined) return;
    const name = nameOf(resource);
    if (snapshot !== undefined) {
      if (wanted(resource)) snapshot.set(name, resource);
      return;
    }
    if (!wanted(resource)) {
      if (shown.delete(name)) gone(name);
      return;
    }
    const look = fingerprint(resource);
    if (shown.get(name) === look) return;
    shown.set(name, look);
    print([resource]);
  };
}

function lossReporter(session: Session): (state: ConnectionState) => void {
  let lost = false;
  return (state) => {
    if (state.phase === "waiting" && !lost) {
      lost = true;
      session.note(escapeText(`zor: the server is lost (${state.error.message}); waiting for it`));
    }
    if (state.phase === "live" && lost) {
      lost = false;
      session.note("zor: the server is back");
    }
  };
}

function toJson(resource: AnyResource): unknown {
  const json = ResourceType.toJSON({ resource } satisfies Resource);
  // The oneof's JSON has one key: the case.
  return (json as Readonly<Record<string, unknown>>)[resource.$case];
}

/** What changes all the time without anything having happened. */
const restless =
  /^(observeTime|lastSeen\w*|\w+(Frames|Bytes)|rtt|sessionRtt|lossRatio|loadAverage|memoryAvailableMib)$/;

/** Equal for resources that differ in counters and measurements only. */
function fingerprint(resource: AnyResource): string {
  return JSON.stringify(toJson(resource), (key, value: unknown) => (restless.test(key) ? undefined : value));
}
