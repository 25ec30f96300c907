import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { stateStyles } from "../../kit/states.js";

/** How an operation's state is shown. */
export const operationStyle = stateStyles(
  new Map([
    [OperationState.OPERATION_STATE_RUNNING, { symbol: "◐", word: "running", tone: "busy" }],
    [OperationState.OPERATION_STATE_SUCCEEDED, { symbol: "●", word: "succeeded", tone: "good" }],
    [OperationState.OPERATION_STATE_FAILED, { symbol: "✗", word: "failed", tone: "bad" }],
    [OperationState.OPERATION_STATE_CANCELLED, { symbol: "○", word: "cancelled", tone: "dim" }],
  ]),
);

/** It is under way. */
export function isRunning(state: OperationState): boolean {
  return state === OperationState.OPERATION_STATE_RUNNING;
}
