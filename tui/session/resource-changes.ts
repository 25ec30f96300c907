import { jsonToBytes } from "../../lib/grpc/json.js";
import type { Connection, Method } from "../../lib/grpc/connection.js";
import { type AnyMethod, codecOf } from "../../lib/kinds/codecs.js";
import { findStandardMethod, requestOf, responseField } from "../../lib/kinds/verbs.js";
import { failedPrecondition } from "../../lib/errors.js";
import { descriptors } from "../../lib/grpc/descriptors.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import type { Changes, ResourceChange } from "../screens/form/changes.js";
import { idOf } from "../kit/resource-name.js";
import { runOperation } from "../client/operation.js";

/** Longest time that a call may take. */
const callTimeoutMs = 60_000;

/** Makes and changes resources over a connection to a hub or agent. */
export function createChanges(connection: Connection): Changes {
  const call = async (change: ResourceChange, validateOnly: boolean, signal: AbortSignal): Promise<object> => {
    const { method, request } = requestFor(change, validateOnly);
    return Object(await connection.unary(asMethod(method), request, { signal, timeoutMs: callTimeoutMs }));
  };
  return {
    check: async (change, signal) => {
      await call(change, true, signal);
    },
    send: async (change, signal) => {
      const response = await call(change, false, signal);
      const told = Object.entries(response).flatMap(([key, value]) =>
        typeof value === "string" && value !== "" ? [[key, value] as const] : [],
      );
      // A field of that name holds an operation, in every response that has one.
      const operation = responseField(response, "operation") as Operation | undefined;
      return { operation, told: Object.fromEntries(told.map(([key, value]) => [snake(key), value])) };
    },
    follow: async (operation, onProgress) => {
      await runOperation(connection, operation, { onProgress });
    },
  };
}

function requestFor(change: ResourceChange, validateOnly: boolean): { method: AnyMethod; request: object } {
  const { kind, name, resource } = change;
  const found = findStandardMethod(kind.singular, change.type);
  if (found === undefined) {
    throw failedPrecondition("NO_METHOD", name, `the API has no way to ${change.type} ${kind.plural}`);
  }
  const { method, rule } = found;
  const common = { requestId: crypto.randomUUID(), validateOnly };
  const codec = codecOf(kind.singular);
  const field = rule.request ?? kind.singular;
  if (change.type === "update") {
    const wanted = codec.fromPartial({ ...resource, name, ...(change.etag === "" ? {} : { etag: change.etag }) });
    return { method, request: requestOf(method, { [field]: wanted, updateMask: [...change.paths], ...common }) };
  }
  const parent = name.split("/").slice(0, -2).join("/");
  const request = requestOf(method, {
    ...extrasOf(method, change.extras),
    ...(rule.route === "parent" ? { parent } : {}),
    [rule.id ?? `${kind.singular}Id`]: idOf(name),
    [field]: codec.fromPartial(resource),
    ...common,
  });
  return { method, request };
}

/** What the request says besides the resource. */
function extrasOf(method: AnyMethod, extras: Readonly<Record<string, unknown>>): object {
  const [, service = "", name = ""] = method.path.split("/");
  const methods = descriptors().registry.getService(service)?.methods ?? [];
  const input = methods.find((each) => each.name === name)?.input;
  if (input === undefined || Object.keys(extras).length === 0) return {};
  // What forms give is the API's JSON.
  const bytes = jsonToBytes(input.typeName, extras as Parameters<typeof jsonToBytes>[1]);
  return Object(method.requestDeserialize(Buffer.from(bytes)));
}

function asMethod(method: AnyMethod): Method<object, object> {
  // Its codecs take and give messages, which are objects.
  return method as Method<object, object>;
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
