import { toMs } from "../../../lib/duration.js";
import { invalidArgument, notFound } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { listPage } from "../../../lib/list/list.js";
import type { Operations } from "../../../lib/operations.js";
import type { Duration } from "../../../proto/gen/google/protobuf/duration.js";
import { OperationServiceService as methods } from "../../../proto/gen/zor/v1/operation_service.js";
import type { KindModule } from "../../kit/context.js";
import type { HostScope } from "../../kit/host-scope.js";
import { serve } from "../../kit/serve.js";

const defaultWaitMs = 30_000;
const maxWaitMs = 300_000;

/** The operations of this host, for the list of kinds. */
export const operationKind: KindModule = {
  kind: "operation",
  open: async ({ scope, operations }) => ({ methods: [serve(methods, operationService(scope, operations))] }),
};

function operationService(scope: HostScope, operations: Operations): Handlers<typeof methods> {
  const own = (name: string): string => {
    scope.parse("operation", "name", name);
    return name;
  };
  return {
    getOperation: async ({ name }) => {
      const operation = operations.find(own(name));
      if (operation === undefined) throw notFound(name, "operations are kept for an hour after they end");
      return { operation };
    },
    listOperations: async (request) => {
      scope.parseListParent("parent", request.parent);
      const page = listPage(operations.list(), request, "zor.v1.Operation", "create_time desc");
      return { operations: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    cancelOperation: async ({ name }) => ({ operation: operations.cancel(own(name)) }),
    waitOperation: async ({ name, timeout }, context) => {
      const waitMs = Math.min(toWaitMs(timeout), context.remainingMs());
      return { operation: await operations.wait(own(name), waitMs, context.signal) };
    },
  };
}

function toWaitMs(timeout: Duration | undefined): number {
  if (timeout === undefined) return defaultWaitMs;
  const ms = toMs(timeout);
  if (ms >= 0 && ms <= maxWaitMs) return ms;
  throw invalidArgument("timeout", "is not between 0 s and 300 s");
}
