import { toMs } from "../../../lib/duration.js";
import { mayFail } from "../../../lib/wave-budget.js";
import { countedNames } from "../../../lib/counted-names.js";
import { type WaveItem, WaveItemState, type WaveSpec } from "../../../proto/gen/zor/v1/wave.js";

const { WAVE_ITEM_STATE_FAILED: failed, WAVE_ITEM_STATE_UNCONFIRMED: unconfirmed } = WaveItemState;
const { WAVE_ITEM_STATE_PENDING: pending, WAVE_ITEM_STATE_RUNNING: running } = WaveItemState;

/** What of a wave tells whether others may fail. */
interface Spending {
  readonly items: readonly WaveItem[];
  readonly spec: WaveSpec;
  /** How many of those that failed count no longer. */
  readonly forgiven: number;
}

/** Whether it is unconfirmed and its host is waited for still. */
export function isAwaited({ state, endTime }: WaveItem): boolean {
  return state === unconfirmed && endTime === undefined;
}

/** Whether it was begun and has not ended. */
export function isUnderWay(item: WaveItem): boolean {
  return item.state === running || isAwaited(item);
}

/** Whether it counts as failed: nobody knows of what is unconfirmed that it was done. */
export function isBad(item: WaveItem): boolean {
  return item.state === failed || (item.state === unconfirmed && !isAwaited(item));
}

/** Whether nothing more becomes of it. */
export function isEnded(item: WaveItem): boolean {
  return item.state !== pending && !isUnderWay(item);
}

/** How many have failed. */
export function badCount(items: readonly WaveItem[]): number {
  return items.reduce((count, item) => count + (isBad(item) ? 1 : 0), 0);
}

/** Why no other may be begun: "3 instances failed, more than the 2 that may"; undefined while others may. */
export function spentText({ items, spec, forgiven }: Spending): string | undefined {
  const [bad, most] = [badCount(items), mayFail(spec)];
  const ofCanaries = badCount(items.slice(0, spec.canary));
  if (bad - forgiven > most)
    return `${countedNames(spec.names, bad - forgiven)} failed, more than the ${most} that may`;
  return ofCanaries > forgiven ? `${countedNames(spec.names, ofCanaries)} failed, among the canaries` : undefined;
}

/** How many of the first may be begun before anything has ended. */
export function firstBatch(spec: WaveSpec): number {
  return spec.canary > 0 ? spec.canary : nextBatch(spec, 0);
}

/** How many of the first may be begun once the first `released` have ended. */
export function nextBatch({ batchSize, names }: WaveSpec, released: number): number {
  return batchSize > 0 ? Math.min(names.length, released + batchSize) : names.length;
}

/** How long it waits between batches. */
export function batchPauseMs({ batchPause }: WaveSpec): number {
  return toMs(batchPause);
}
