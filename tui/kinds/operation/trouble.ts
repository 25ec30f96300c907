import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { formatAge } from "../../kit/format.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { Row } from "../../kit/row.js";
import type { Trouble } from "../../kit/trouble/trouble.js";
import { operationStyle } from "./states.js";

/** So long an operation that is under way may say nothing. */
const stalledMs = 120_000;
/** So long what failed is news. */
const newsMs = 15 * 60_000;

/** How long an operation that is under way has said nothing; undefined: it does not seem to stand still. */
export function stalledFor({ state, updateTime, createTime }: Operation, context: CellContext): number | undefined {
  const told = updateTime ?? createTime;
  if (state !== OperationState.OPERATION_STATE_RUNNING || told === undefined) return undefined;
  const silentMs = context.fleet.hubTimeMs(context.nowMs) - told.getTime();
  return silentMs < stalledMs ? undefined : silentMs;
}

/** What is wrong with an operation: it failed a while ago, or has said nothing for long. */
export function operationTrouble({ resource }: Row<Operation>, context: CellContext): Trouble | undefined {
  const silentMs = stalledFor(resource, context);
  const { state, step, error, updateTime } = resource;
  if (silentMs !== undefined) {
    const why = `nothing was heard for ${formatAge(silentMs)}${step === "" ? "" : `, at: ${step}`}`;
    return { tone: "warn", symbol: "!", word: "stalled", why, since: updateTime };
  }
  if (state !== OperationState.OPERATION_STATE_FAILED || updateTime === undefined) return undefined;
  if (context.fleet.hubTimeMs(context.nowMs) - updateTime.getTime() > newsMs) return undefined;
  const { symbol, word } = operationStyle(state);
  return { tone: "bad", symbol, word, why: error?.message ?? step, since: updateTime };
}
