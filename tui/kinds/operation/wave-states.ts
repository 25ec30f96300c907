import { type Wave, type WaveItem, WaveItemState } from "../../../proto/gen/zor/v1/wave.js";
import { stateStyles } from "../../kit/states.js";

/** The states of the resources of a wave, in the order in which they are told. */
export const itemStates = [
  WaveItemState.WAVE_ITEM_STATE_FAILED,
  WaveItemState.WAVE_ITEM_STATE_UNCONFIRMED,
  WaveItemState.WAVE_ITEM_STATE_RUNNING,
  WaveItemState.WAVE_ITEM_STATE_PENDING,
  WaveItemState.WAVE_ITEM_STATE_SUCCEEDED,
  WaveItemState.WAVE_ITEM_STATE_SKIPPED,
] as const;

/** How the state of a resource of a wave is shown. */
export const itemStyle = stateStyles(
  new Map([
    [WaveItemState.WAVE_ITEM_STATE_PENDING, { symbol: "·", word: "waits", tone: "plain" }],
    [WaveItemState.WAVE_ITEM_STATE_RUNNING, { symbol: "◐", word: "under way", tone: "busy" }],
    [WaveItemState.WAVE_ITEM_STATE_SUCCEEDED, { symbol: "●", word: "done", tone: "good" }],
    [WaveItemState.WAVE_ITEM_STATE_FAILED, { symbol: "✗", word: "failed", tone: "bad" }],
    [WaveItemState.WAVE_ITEM_STATE_UNCONFIRMED, { symbol: "?", word: "unconfirmed", tone: "warn" }],
    [WaveItemState.WAVE_ITEM_STATE_SKIPPED, { symbol: "○", word: "not begun", tone: "dim" }],
  ]),
);

/** How many of its resources are in each state. */
export function countsOf({ items }: Pick<Wave, "items">): ReadonlyMap<WaveItemState, number> {
  const counts = new Map<WaveItemState, number>();
  for (const { state } of items) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

const notDone: ReadonlySet<WaveItemState> = new Set([
  WaveItemState.WAVE_ITEM_STATE_FAILED,
  WaveItemState.WAVE_ITEM_STATE_UNCONFIRMED,
  WaveItemState.WAVE_ITEM_STATE_SKIPPED,
]);

/** Whether it is unconfirmed and its host is waited for still: it may be done yet. */
export function isAwaited({ state, endTime }: WaveItem): boolean {
  return state === WaveItemState.WAVE_ITEM_STATE_UNCONFIRMED && endTime === undefined;
}

/** Those that the wave did not see done: what another one would be for. */
export function itemsLeft({ items }: Pick<Wave, "items">): readonly WaveItem[] {
  return items.filter((item) => notDone.has(item.state) && !isAwaited(item));
}
