import { Operation, OperationState } from "../../proto/gen/zor/v1/operation.js";
import type { Change, Store } from "../store/store.js";

/** A finished operation is remembered this long. */
const keepMs = 24 * 60 * 60 * 1000;

/** The change that stores an operation. */
export function putOperation(operation: Operation): Change {
  return {
    type: "put",
    collection: "operations",
    key: idOf(operation.name),
    value: Operation.encode(operation).finish(),
  };
}

/** Last segment of an operation's name. */
function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Operations an earlier run of the hub left: those it had not finished, and those that are remembered. */
export interface LeftOperations {
  readonly unfinished: readonly Operation[];
  readonly finished: readonly Operation[];
}

/** Reads what an earlier run left and forgets what is old. */
export async function loadOperations(store: Store, now: Date): Promise<LeftOperations> {
  const stored = await store.list("operations");
  const all = stored.map(({ value }) => Operation.decode(value));
  const isOld = (operation: Operation): boolean =>
    operation.state !== OperationState.OPERATION_STATE_RUNNING &&
    (operation.updateTime?.getTime() ?? 0) + keepMs < now.getTime();
  const old = all.filter(isOld);
  if (old.length > 0) {
    await store.commit(old.map(({ name }): Change => ({ type: "delete", collection: "operations", key: idOf(name) })));
  }
  const kept = all.filter((operation) => !isOld(operation));
  return {
    unfinished: kept.filter(({ state }) => state === OperationState.OPERATION_STATE_RUNNING),
    finished: kept.filter(({ state }) => state !== OperationState.OPERATION_STATE_RUNNING),
  };
}
