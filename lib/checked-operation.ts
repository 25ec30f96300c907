import type { Any } from "../proto/gen/google/protobuf/any.js";
import { type Operation, OperationState } from "../proto/gen/zor/v1/operation.js";

/**
 * The operation that a call with validate_only returns: it would have been begun. It has no name, since it does not exist.
 * @param result the resource as it would have been made, packed.
 */
export function checkedOperation(verb: string, target: string, result?: Any): Operation {
  return {
    name: "",
    verb,
    target,
    state: OperationState.OPERATION_STATE_SUCCEEDED,
    step: "checked only",
    progressPercent: 0,
    error: undefined,
    requestId: "",
    createTime: undefined,
    updateTime: undefined,
    caller: "",
    result,
  };
}
