import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import type { Action } from "../../kit/action.js";
import { shortName } from "../../kit/resource-name.js";

const isRunning = ({ state }: Operation): boolean => state === OperationState.OPERATION_STATE_RUNNING;

/** What can be asked of an operation. */
export const operationActions: readonly Action<Operation>[] = [
  {
    verb: "cancel",
    keys: ["x"],
    title: "have it stop and undo what it began",
    hint: "cancel",
    dangerous: true,
    whyNot: ({ resource }) => (isRunning(resource) ? undefined : "it has ended"),
    effect: ({ resource }) =>
      resource.verb.startsWith("wave.")
        ? `${resource.verb} begins no other; what is under way ends by itself`
        : `${resource.verb} of ${shortName(resource.target)} is undone`,
    isDone: (_, now) => !isRunning(now.resource),
    run: async (_, { connection, request: { name, requestId }, options }) => {
      await connection.unary(OperationServiceService.cancelOperation, { name, requestId }, options);
      return undefined;
    },
  },
];
