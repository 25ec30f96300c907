import { ZorError } from "../../lib/errors.js";
import type { Method } from "../../lib/grpc/connection.js";
import type { CallContext } from "../../lib/grpc/service.js";
import { staleKey } from "../../lib/grpc/stale-key.js";
import type { AnyMethod, NamedMessage } from "../../lib/kinds/codecs.js";
import { kindNamed, type MethodRule } from "../../lib/kinds/kinds.js";
import { readField } from "../../lib/kinds/read-field.js";
import type { ListRequest } from "../../lib/list/list.js";
import { parseHost, parseHostParent, parseOnHost } from "../../lib/names.js";
import { readFirst } from "./first-message.js";
import type { AnyHandler } from "./handlers.js";
import type { Inventory } from "./inventory.js";
import type { Lister } from "./lister.js";
import type { Router } from "./router.js";

/** What the methods of kinds that live on hosts are served with. */
export interface HostMethodParts {
  readonly router: Router;
  readonly lister: Lister;
  readonly inventory: Inventory;
}

/** An agent whose answer to a Get takes longer hangs: what the hub knows is better than nothing. */
const getTimeoutMs = 1000;

/** A handler of any messages of ts-proto. */
type Unary = (request: Fields, context: CallContext) => Promise<unknown>;
type Fields = Readonly<Record<string, unknown>>;

/**
 * Serves a method of a kind that lives on hosts, by its rule alone: lists come from the inventory and never wait for a host, what is
 * asked for by name from the host's agent, or from the inventory while that does not answer; everything else is done by the agent
 * of the host that the route names, in a stream by the first message.
 */
export function hostHandler(method: AnyMethod, rule: MethodRule, parts: HostMethodParts): AnyHandler {
  if (method.requestStream) return streamBothWays(method, rule, parts);
  if (method.responseStream) return streamBack(method, rule, parts);
  if (rule.verb === "list") return list(rule, parts);
  return rule.verb === "get" ? get(method, rule, parts) : routed(method, rule, parts);
}

function list({ kind, response = "" }: MethodRule, { lister }: HostMethodParts): AnyHandler {
  return async (request: ListRequest & { readonly parent: string }, context) => {
    const host = parseHostParent("parent", request.parent, true);
    const { items, ...page } = await lister.kept({ kind, host, request, caller: context.caller.identity });
    return { ...page, [response]: items };
  };
}

function get(method: AnyMethod, rule: MethodRule, { router, inventory }: HostMethodParts): Unary {
  const { kind, response = "" } = rule;
  return async (request, context) => {
    const { host, name } = hostOf(request, rule);
    const known: NamedMessage | undefined = inventory.log.find(kind, name);
    const wrap = (resource: NamedMessage): Fields => ({ [response]: resource });
    return getFromHost<Fields, unknown, NamedMessage>(method, { host, request, known, wrap }, { router, context });
  };
}

/** What is asked for of a host. */
export interface HostGet<Request, Response, Resource> {
  /** Id of the host. */
  readonly host: string;
  readonly request: Request;
  /** The resource as the hub knows it. */
  readonly known: Resource | undefined;
  /** The answer that consists of it. */
  readonly wrap: (known: Resource) => Response;
}

/**
 * Asks a host's agent for a resource. While it does not answer, what the hub knows is the answer, and the trailing metadata say that and when
 * the host was last heard ({@link staleKey}).
 */
export async function getFromHost<Request, Response, Resource>(
  method: Method<Request, Response>,
  { host, request, known, wrap }: HostGet<Request, Response, Resource>,
  { router, context }: { readonly router: Router; readonly context: CallContext },
): Promise<Response> {
  // Tells why the host cannot be asked, or that there is none.
  if (known === undefined) return router.unary(method, { host, request }, context);
  if (router.isReady(host)) {
    try {
      return await router.unary(method, { host, request, atMostMs: getTimeoutMs }, context);
    } catch (error) {
      if (!(error instanceof ZorError && silent.has(error.reason))) throw error;
    }
  }
  context.tell(staleKey, router.silenceOf(host));
  return wrap(known);
}

const silent: ReadonlySet<string> = new Set(["HOST_SILENT", "HOST_LOST"]);

function routed(method: AnyMethod, rule: MethodRule, { router }: HostMethodParts): Unary {
  return async (request, context) => router.unary(method, { host: hostOf(request, rule).host, request }, context);
}

function streamBack(method: AnyMethod, rule: MethodRule, { router }: HostMethodParts): AnyHandler {
  return (request: Fields, context) => router.stream(method, { host: hostOf(request, rule).host, request }, context);
}

function streamBothWays(method: AnyMethod, rule: MethodRule, { router }: HostMethodParts): AnyHandler {
  return async function* (requests: AsyncIterable<Fields>, context) {
    const { first, all } = await readFirst(requests);
    const { host } = hostOf(first ?? {}, rule, "must be the first message");
    yield* router.bidi(method, { host, request: all }, context);
  };
}

/** The host that a request goes to. @throws {ZorError} INVALID_ARGUMENT that names the field. */
function hostOf(
  request: Fields,
  { kind, route, verb }: MethodRule,
  missing?: string,
): { readonly host: string; readonly name: string } {
  const name = readField(request, route, missing);
  if (verb === "create" || /(^|\.)parent$/.test(route)) return { host: parseHost(route, name), name };
  return { host: parseOnHost(route, name, kindNamed(kind).plural).host, name };
}
