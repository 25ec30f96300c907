import type { CallContext, Handlers, implementService } from "../../lib/grpc/service.js";
import { checkRequestId, type RequestIds } from "../../lib/idempotency.js";
import { type AnyMethod, type AnyService, findService } from "../../lib/kinds/codecs.js";

type Definition = Parameters<typeof implementService>[0];
type Unary = (request: unknown, context: CallContext) => Promise<unknown>;

/** Handlers of some methods of a service. */
export interface ServiceMethods {
  /** Full name, "zor.v1.LanService". */
  readonly service: string;
  /** By ts-proto's names of the methods. */
  readonly handlers: Readonly<Record<string, unknown>>;
}

/** What services are served with. */
export interface ServeOptions {
  readonly requests: RequestIds;
  /** Resolves when what was begun is written down. */
  readonly settled: () => Promise<void>;
}

/** A service with a handler for each of its methods. */
export interface ServedService {
  readonly name: string;
  readonly definition: AnyService;
  readonly handlers: Handlers<AnyService>;
}

/** Methods of a service: all of them, or those that a kind has something to say about. */
export function serve<D extends Definition>(definition: D, handlers: Partial<Handlers<D>>): ServiceMethods {
  const [method] = Object.values(definition);
  const [, service = ""] = (method?.path ?? "").split("/");
  return { service, handlers };
}

/**
 * The services that the methods make together: several kinds may serve one. A unary method whose request has a request_id is carried out
 * once for each; nothing is remembered of a request that is only checked.
 * @throws {Error} for a method that two serve, or that nobody serves although others of its service are.
 */
export function toServices(
  methods: readonly ServiceMethods[],
  { requests, settled }: ServeOptions,
): readonly ServedService[] {
  const names = [...new Set(methods.map(({ service }) => service))];
  return names.map((name) => {
    const definition = findService(name);
    if (definition === undefined) throw new Error(`there is no service ${name}`);
    const handlers: Record<string, unknown> = {};
    for (const { handlers: some } of methods.filter(({ service }) => service === name)) {
      for (const [key, handler] of Object.entries(some)) {
        if (Object.hasOwn(handlers, key)) throw new Error(`two kinds serve ${name}: ${key}`);
        handlers[key] = handler;
      }
    }
    const entries = Object.entries(definition).map(([key, method]) => {
      if (handlers[key] === undefined) throw new Error(`nobody serves ${method.path}`);
      return [key, onceWhereAsked(method, handlers[key], { requests, settled })];
    });
    // Each handler was given for the method of its name, by the types of serve or the standard methods.
    return { name, definition, handlers: Object.fromEntries(entries) as Handlers<AnyService> };
  });
}

function onceWhereAsked(method: AnyMethod, handler: unknown, { requests, settled }: ServeOptions): unknown {
  if (method.requestStream || method.responseStream) return handler;
  // Whoever is no stream is unary.
  const unary = handler as Unary;
  return async (request: unknown, context: CallContext): Promise<unknown> => {
    if (!isMutation(request)) return unary(request, context);
    checkRequestId(request.requestId);
    if (request.validateOnly === true) return unary(request, context);
    return requests.once(method, request, context.caller.identity, async () => {
      const answer = await unary(request, context);
      // An operation that is told of must be there when it is asked for, whatever happens to the agent meanwhile.
      await settled();
      return answer;
    });
  };
}

function isMutation(request: unknown): request is { readonly requestId: string; readonly validateOnly?: boolean } {
  return typeof request === "object" && request !== null && "requestId" in request;
}
