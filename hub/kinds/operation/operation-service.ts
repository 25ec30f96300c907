import { toMs } from "../../../lib/duration.js";
import { invalidArgument, notFound } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { parseHostParent, parseName, quote } from "../../../lib/names.js";
import type { Operations } from "../../../lib/operations.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import type { Inventory } from "../../kit/inventory.js";
import type { Lister } from "../../kit/lister.js";
import type { StoredRequests } from "../../kit/requests.js";
import type { Router } from "../../kit/router.js";

const service = OperationServiceService;
const defaultWaitMs = 30_000;
const maxWaitMs = 5 * 60_000;

/** Operations of the hub itself and of the agents. */
export function operationHandlers(parts: {
  readonly router: Router;
  readonly lister: Lister;
  readonly inventory: Inventory;
  /** The hub's own. */
  readonly operations: Operations;
  readonly requests: StoredRequests;
}): Handlers<typeof OperationServiceService> {
  const { router, lister, inventory, operations, requests } = parts;
  return {
    getOperation: async (request, context) => {
      const host = findHost(request.name);
      if (host !== undefined && router.isReady(host)) return router.unary(service.getOperation, host, request, context);
      const operation = inventory.log.find("operation", request.name);
      if (operation !== undefined) return { operation };
      if (host === undefined) throw unknown(request.name);
      return router.unary(service.getOperation, host, request, context);
    },
    listOperations: async (request) => {
      const host = parseHostParent("parent", request.parent, true);
      const all = inventory.log.list("operation");
      // "hosts/-" is every host, an empty parent also the hub itself.
      const wanted = request.parent === "" ? all : all.filter(({ name }) => name.startsWith("hosts/"));
      const { items, ...page } = lister.page(wanted, host, request, {
        type: "zor.v1.Operation",
        defaultOrder: "create_time desc",
      });
      return { ...page, operations: items };
    },
    cancelOperation: async (request, context) => {
      const host = findHost(request.name);
      if (host !== undefined) return router.unary(service.cancelOperation, host, request, context);
      return requests.ids.once(service.cancelOperation, request, context.caller.identity, async () => ({
        operation: operations.cancel(request.name),
      }));
    },
    waitOperation: async (request, context) => {
      const host = findHost(request.name);
      if (host !== undefined) return router.unary(service.waitOperation, host, request, context);
      const timeoutMs = waitMs(request.timeout);
      const known = inventory.log.find("operation", request.name);
      // An operation that ended before the hub was restarted is only remembered.
      if (operations.find(request.name) === undefined && known !== undefined) return { operation: known };
      return { operation: await operations.wait(request.name, timeoutMs, context.signal) };
    },
  };
}

function findHost(name: string): string | undefined {
  const parsed = parseName("name", name);
  if (parsed.kind === "onHost" && parsed.collection === "operations") return parsed.host;
  if (parsed.kind === "hub" && parsed.collection === "operations") return undefined;
  throw invalidArgument("name", `${quote(name)} is not the name of an operation`);
}

function waitMs(timeout: { readonly seconds: bigint; readonly nanos: number } | undefined): number {
  if (timeout === undefined) return defaultWaitMs;
  const ms = toMs(timeout);
  if (ms < 0 || ms > maxWaitMs) throw invalidArgument("timeout", "must be between 0 and 5 minutes");
  return ms;
}

function unknown(name: string): ReturnType<typeof notFound> {
  return notFound(name, "operations are kept for an hour after they end");
}
