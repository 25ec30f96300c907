import type { Server } from "@grpc/grpc-js";
import type { EventLog } from "../lib/events/event-log.js";
import { eventMethods } from "../lib/events/event-methods.js";
import { addHealth, type Health } from "../lib/grpc/health.js";
import { addReflection } from "../lib/grpc/reflection.js";
import { type Handlers, implementService, type ServiceOptions } from "../lib/grpc/service.js";
import type { Hooks } from "../lib/hooks/hooks.js";
import { type AnyMethod, type AnyService, allServices } from "../lib/kinds/codecs.js";
import { findRule, kindNamed, livesOnHosts } from "../lib/kinds/kinds.js";
import type { KeptLog } from "../lib/logs/kept-log.js";
import { versionHandlers } from "../lib/program-version.js";
import { EventServiceService } from "../proto/gen/zor/v1/event_service.js";
import { HookServiceService } from "../proto/gen/zor/v1/hook_service.js";
import { RenewServiceService } from "../proto/gen/zor/v1/join_service.js";
import { HubLogServiceService } from "../proto/gen/zor/v1/log_service.js";
import { VersionServiceService } from "../proto/gen/zor/v1/version_service.js";
import { ViewServiceService } from "../proto/gen/zor/v1/view_service.js";
import { WatchServiceService } from "../proto/gen/zor/v1/watch_service.js";
import { hubLogHandlers } from "./hub-log.js";
import { type AnyHandler, handlersOf, type KindHandlers } from "./kit/handlers.js";
import { type HostMethodParts, hostHandler } from "./kit/host-services.js";
import type { HubKindPart } from "./kit/hub-kind.js";
import { ListAnswers } from "./kit/kept-items.js";
import type { InnerCalls } from "./kit/waves/inner-calls.js";
import type { Certificates } from "./pki/certificates.js";
import { renewHandlers } from "./pki/renew-service.js";
import type { Views } from "./views/views.js";

/** What the services of a hub are made of. */
export interface ServedParts extends HostMethodParts {
  readonly certificates: Certificates;
  /** What happened, kept on disk. */
  readonly events: EventLog;
  /** Whom that is told to. */
  readonly hooks: Hooks;
  /** The hub's own log; undefined: it keeps none. */
  readonly keptLog: KeptLog | undefined;
  /** To be told how methods are carried out. */
  readonly calls: InnerCalls;
  /** Live windows over queries. */
  readonly views: Views;
  /** What kinds add. */
  readonly kinds: readonly HubKindPart[];
}

/** Adds everything the main listener serves: what kinds add, and all methods of kinds that live on hosts. */
export function addMainServices(server: Server, parts: ServedParts, options: ServiceOptions): Health {
  const { inventory, certificates, keptLog, kinds, events, hooks, calls, views } = parts;
  const own: KindHandlers = Object.assign(
    {
      ...handlersOf(
        RenewServiceService,
        renewHandlers(certificates, (event) => void inventory.log.recordEvent("events", event)),
      ),
      ...handlersOf(HubLogServiceService, hubLogHandlers(keptLog)),
      ...handlersOf(EventServiceService, eventMethods(events)),
      ...handlersOf(HookServiceService, hooks.methods),
      ...handlersOf(VersionServiceService, versionHandlers("hub")),
      ...handlersOf(ViewServiceService, {
        watchView: (request, { caller: { identity, role }, signal }) =>
          views.watch(request, { caller: identity, role, signal }),
      }),
    },
    ...kinds.map(({ handlers }) => handlers),
  );
  const watch = implementService(
    WatchServiceService,
    { watch: (request, context) => inventory.log.frames(request, context.signal) },
    options,
  );
  server.addService(WatchServiceService, watch);
  const methods = new Map(
    allServices()
      .flatMap(([, service]) => Object.values(service))
      .map((each) => [each.path, each]),
  );
  calls.serve((path) => {
    const method = methods.get(path);
    return own[path] ?? (method === undefined ? undefined : generic(method, parts));
  });
  const lists = new ListAnswers();
  const names = ["zor.v1.WatchService"];
  for (const [name, definition] of allServices()) {
    const handlers = handlersFor(definition, (method) => {
      const handler = own[method.path] ?? generic(method, parts);
      return handler === undefined ? undefined : lists.wrap(method, handler);
    });
    if (handlers === undefined) continue;
    server.addService(definition, implementService(definition, handlers, options));
    names.push(name);
  }
  names.sort();
  addReflection(server, [...names, "grpc.health.v1.Health"], options);
  return addHealth(server, names, options);
}

/** Handlers of all methods of a service; undefined: the hub does not serve it. @throws {Error} when it would serve a part of it. */
function handlersFor(
  definition: AnyService,
  handlerOf: (method: AnyMethod) => AnyHandler | undefined,
): Handlers<AnyService> | undefined {
  const found = Object.entries(definition).map(([name, method]) => ({ name, method, handler: handlerOf(method) }));
  const missing = found.filter(({ handler }) => handler === undefined);
  if (missing.length === found.length) return undefined;
  const [first] = missing;
  if (first !== undefined)
    throw new Error(`the hub has no handler of ${first.method.path}: add one to the kind in hub/kinds`);
  // Handlers are filed by the path of the method whose messages they take.
  return Object.fromEntries(found.map(({ name, handler }) => [name, handler])) as unknown as Handlers<AnyService>;
}

/** A kind that lives on hosts is served by its rules alone, with what the hub adds before and after. */
function generic(method: AnyMethod, parts: ServedParts): AnyHandler | undefined {
  const rule = findRule(method.path);
  if (rule === undefined || rule.kind === "" || !livesOnHosts(kindNamed(rule.kind))) return undefined;
  const handler = hostHandler(method, rule, parts);
  const before = parts.kinds.flatMap(({ before: each }) => each?.[method.path] ?? []);
  const after = parts.kinds.flatMap(({ after: each }) => each?.[method.path] ?? []);
  if (before.length === 0 && after.length === 0) return handler;
  return async (request, context) => {
    for (const each of before) await each(request, context);
    let answer = await handler(request, context);
    // An answer is of the type of the method that it is filed under.
    for (const each of after) answer = each(answer as never);
    return answer;
  };
}
