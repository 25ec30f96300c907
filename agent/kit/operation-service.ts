import { toMs } from "../../lib/duration.js";
import { invalidArgument, notFound } from "../../lib/errors.js";
import type { Handlers } from "../../lib/grpc/service.js";
import type { RequestIds } from "../../lib/idempotency.js";
import { listPage } from "../../lib/list/list.js";
import type { Operations } from "../../lib/operations.js";
import type { Duration } from "../../proto/gen/google/protobuf/duration.js";
import { OperationServiceService as methods } from "../../proto/gen/zor/v1/operation_service.js";
import type { HostScope } from "./host-scope.js";

const defaultWaitMs = 30_000;
const maxWaitMs = 300_000;

/** The operation service of this host. */
export function operationService(options: {
  readonly scope: HostScope;
  readonly operations: Operations;
  readonly requests: RequestIds;
}): Handlers<typeof methods> {
  const { scope, operations, requests } = options;
  return {
    getOperation: async ({ name }) => {
      const operation = operations.find(scope.parseOperation("name", name));
      if (operation === undefined) throw notFound(name, "operations are kept for an hour after they end");
      return { operation };
    },
    listOperations: async (request) => {
      scope.parseListParent("parent", request.parent, true);
      const page = listPage(operations.list(), request, "zor.v1.Operation", "create_time desc");
      return { operations: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    cancelOperation: (request, context) =>
      requests.once(methods.cancelOperation, request, context.caller.identity, async () => ({
        operation: operations.cancel(scope.parseOperation("name", request.name)),
      })),
    waitOperation: async ({ name, timeout }, context) => {
      const waitMs = Math.min(toWaitMs(timeout), context.remainingMs());
      return { operation: await operations.wait(scope.parseOperation("name", name), waitMs, context.signal) };
    },
  };
}

function toWaitMs(timeout: Duration | undefined): number {
  if (timeout === undefined) return defaultWaitMs;
  const ms = toMs(timeout);
  if (ms >= 0 && ms <= maxWaitMs) return ms;
  throw invalidArgument("timeout", "is not between 0 s and 300 s");
}
