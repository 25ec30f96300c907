import { invalidArgument } from "../../lib/errors.js";
import type { CallContext } from "../../lib/grpc/service.js";
import { allServices, codecOf, type NamedMessage } from "../../lib/kinds/codecs.js";
import { findRule, kindNamed, type MethodRule } from "../../lib/kinds/kinds.js";
import { type ListRequest, listPage } from "../../lib/list/list.js";
import { parseId, type ResourceId } from "../../lib/names.js";
import type { HostScope } from "./host-scope.js";
import type { Change, HostResource } from "./kind.js";
import type { ServiceMethods } from "./serve.js";

/** A change with the call that asks for it. */
export interface AskedChange extends Change {
  /** The whole request: some have fields of their own. */
  readonly request: object;
  readonly requestId: string;
}

/** What the standard methods of a kind do. */
export interface StandardVerbs<R extends HostResource> {
  /** Resolves to the resource, or to the operation that makes it. */
  readonly create: (id: ResourceId, wanted: R, change: AskedChange) => Promise<NamedMessage>;
  readonly get: (id: string) => R;
  readonly list: () => readonly R[];
  readonly update: (
    id: string,
    asked: { readonly wanted: R; readonly mask: readonly string[] | undefined },
    change: AskedChange,
  ) => Promise<R>;
  readonly delete: (id: string, change: AskedChange) => Promise<void>;
}

type Fields = Readonly<Record<string, unknown>>;
type Handler = (request: Fields, context: CallContext) => Promise<object>;

/** The handlers of the standard methods of a kind, made from what its proto file says of them. @param kind singular. */
export function standardMethods<R extends HostResource>(
  kind: string,
  verbs: StandardVerbs<R>,
  scope: HostScope,
): readonly ServiceMethods[] {
  return allServices().flatMap(([service, definition]) => {
    const handlers = Object.entries(definition).flatMap(([key, method]) => {
      const rule = findRule(method.path);
      const handler = rule?.kind === kind ? handlerOf(rule, verbs, scope) : undefined;
      return handler === undefined ? [] : [[key, handler] as const];
    });
    return handlers.length === 0 ? [] : [{ service, handlers: Object.fromEntries(handlers) }];
  });
}

// The code generator has checked that messages of these methods have the fields that are read and written here.
function handlerOf<R extends HostResource>(
  rule: MethodRule,
  verbs: StandardVerbs<R>,
  scope: HostScope,
): Handler | undefined {
  const { kind, verb } = rule;
  const response = rule.response ?? "";
  switch (verb) {
    case "create":
      return async (request, context) => {
        scope.parseSelf("parent", text(request, "parent"));
        const id = parseId(`${kind}_id`, text(request, rule.id ?? ""));
        const wanted = (request[rule.request ?? ""] ?? codecOf(kind).fromPartial({})) as R;
        return { [response]: await verbs.create(id, wanted, askedChange(request, context)) };
      };
    case "get":
      return async (request) => ({ [response]: verbs.get(scope.parse(kind, "name", text(request, "name"))) });
    case "list":
      return async (request) => {
        scope.parseListParent("parent", text(request, "parent"));
        const page = listPage(verbs.list(), request as unknown as ListRequest, kindNamed(kind).type);
        return {
          [response]: page.items,
          nextPageToken: page.nextPageToken,
          totalSize: page.totalSize,
          unreachable: [],
        };
      };
    case "update":
      return async (request, context) => {
        const wanted = request[rule.request ?? ""] as R | undefined;
        if (wanted === undefined) throw invalidArgument(kind, "must be given");
        const id = scope.parse(kind, rule.route, wanted.name);
        const mask = request["updateMask"] as readonly string[] | undefined;
        return { [response]: await verbs.update(id, { wanted, mask }, askedChange(request, context)) };
      };
    case "delete":
      return async (request, context) => {
        await verbs.delete(scope.parse(kind, "name", text(request, "name")), askedChange(request, context));
        return {};
      };
    case "custom":
      return undefined;
  }
}

function askedChange(request: Fields, context: CallContext): AskedChange {
  return {
    request,
    requestId: text(request, "requestId"),
    validateOnly: request["validateOnly"] === true,
    caller: context.caller.identity,
  };
}

function text(request: Fields, field: string): string {
  const value = request[field];
  return typeof value === "string" ? value : "";
}
