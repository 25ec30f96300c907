import { countedNames } from "../../../lib/counted-names.js";
import { mayFail } from "../../../lib/wave-budget.js";
import { counted } from "../../../lib/words.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { type Wave, type WaveItem, WaveItemState } from "../../../proto/gen/zor/v1/wave.js";
import { operationStyle } from "../../kinds/operation/states.js";
import { waveVerb } from "../../kinds/operation/wave-spec.js";
import { countsOf, itemStates, itemStyle } from "../../kinds/operation/wave-states.js";
import { formatAge } from "../../kit/format.js";
import type { PickLine } from "../../kit/pick-page.js";
import { shortIdentity, shortName } from "../../kit/resource-name.js";
import type { StateStyle } from "../../kit/states.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine, type Line, type Segment } from "../../kit/text/segment.js";
import { fitText } from "../../kit/text/text-width.js";

/** How many of a state are shown where that is much more than fits: the others are counted. */
const mostShown = 200;

/** What a wave is drawn with. */
export interface WaveDrawing {
  readonly width: number;
  /** By the clock of the hub. */
  readonly hubMs: number;
  /** Why what is shown may be old; "": it is not. */
  readonly trouble: string;
}

/** How it stands: what it does, a bar of all states, its bounds, and then each resource, those that went wrong first. */
export function waveLines(wave: Wave, drawing: WaveDrawing): readonly PickLine[] {
  const { width, trouble } = drawing;
  const counts = countsOf(wave);
  const head: Line[] = [
    [{ text: " " }, ...stateSegments(wave)],
    [{ text: " " }, ...barSegments(counts, wave.items.length, width - 2)],
    [{ text: " " }, ...countSegments(counts, wave.items.length)],
    [{ text: ` ${boundsText(wave)}`, tone: "dim" }],
    ...(trouble === "" ? [] : [[{ text: ` ! ${plainText(trouble)}`, tone: "warn" } as const]]),
  ];
  const groups = itemStates.flatMap((state) => groupLines(wave, state, drawing));
  return [...head.map((line): PickLine => ({ line: cutLine(line, width) })), ...groups];
}

/** "stop 312 instances" is done to so many; the wave in a few words. */
export function waveTitle({ spec }: Pick<Wave, "spec">): string {
  return spec === undefined ? "wave" : `${waveVerb(spec)} ${countedNames(spec.names)}`;
}

/** Why one of a wave is as it is, whole: on its line there may be no room for all of it. */
export function whyOf({ items }: Pick<Wave, "items">, name: string | undefined): string {
  return items.find((item) => item.name === name)?.error?.message ?? "";
}

/** How a wave stands: one that is paused looks like no other. */
function waveStyle({ state, paused }: Pick<Wave, "state" | "paused">): StateStyle {
  const isPaused = paused && state === OperationState.OPERATION_STATE_RUNNING;
  return isPaused ? { symbol: "‖", word: "paused", tone: "warn" } : operationStyle(state);
}

function stateSegments(wave: Wave): readonly Segment[] {
  const { symbol, word, tone } = waveStyle(wave);
  const why = wave.pauseReason === "" ? "" : `: ${plainText(wave.pauseReason)}`;
  const who = plainText(shortIdentity(wave.caller));
  return [
    { text: `${waveTitle(wave)}  `, tone: "strong" },
    { text: `${symbol} ${word}${why}`, tone },
    { text: who === "" ? "" : `  for ${who}`, tone: "dim" },
  ];
}

/** Signs that are told apart without colours, too. */
const signs: ReadonlyMap<WaveItemState, string> = new Map([
  [WaveItemState.WAVE_ITEM_STATE_SUCCEEDED, "█"],
  [WaveItemState.WAVE_ITEM_STATE_FAILED, "✗"],
  [WaveItemState.WAVE_ITEM_STATE_UNCONFIRMED, "?"],
  [WaveItemState.WAVE_ITEM_STATE_RUNNING, "▒"],
  [WaveItemState.WAVE_ITEM_STATE_PENDING, "·"],
  [WaveItemState.WAVE_ITEM_STATE_SKIPPED, "-"],
]);
const barOrder = [...signs.keys()];

/** All states side by side: of each that there is at least a cell, what is done first. */
function barSegments(counts: ReadonlyMap<WaveItemState, number>, all: number, width: number): readonly Segment[] {
  const present = barOrder.filter((state) => (counts.get(state) ?? 0) > 0);
  const room = Math.max(present.length, Math.min(width, 120));
  const free = room - present.length;
  let [seen, given] = [0, 0];
  return present.map((state) => {
    // What is rounded away goes to the next one: all together fill the bar.
    seen += counts.get(state) ?? 0;
    const upTo = Math.round((free * seen) / all);
    const cells = 1 + upTo - given;
    given = upTo;
    return { text: (signs.get(state) ?? "?").repeat(cells), tone: itemStyle(state).tone };
  });
}

function countSegments(counts: ReadonlyMap<WaveItemState, number>, all: number): readonly Segment[] {
  const done = counts.get(WaveItemState.WAVE_ITEM_STATE_SUCCEEDED) ?? 0;
  const others = barOrder.filter((state) => state !== WaveItemState.WAVE_ITEM_STATE_SUCCEEDED && counts.has(state));
  return [
    { text: `${done} of ${all} done`, tone: done === all ? "good" : "plain" },
    ...others.map((state): Segment => {
      const { word, tone } = itemStyle(state);
      return { text: `  ${signs.get(state) ?? ""} ${counts.get(state) ?? 0} ${word}`, tone };
    }),
  ];
}

function boundsText({ spec, released, items, forgiven }: Wave): string {
  if (spec === undefined) return "";
  const most = mayFail(spec) + forgiven;
  return [
    `at most ${spec.maxParallel} at a time`,
    ...(spec.canary > 0 ? [counted(spec.canary, "canary", "canaries")] : []),
    ...(spec.batchSize > 0
      ? [`batches of ${spec.batchSize}, the first ${Math.min(released, items.length)} may begin`]
      : []),
    most >= spec.names.length
      ? "all may fail"
      : `${most} may fail${spec.pauseWhenSpent ? ", then it pauses" : ", then it ends"}`,
  ].join("; ");
}

function groupLines({ items }: Wave, state: WaveItemState, drawing: WaveDrawing): readonly PickLine[] {
  const found = items.filter((item) => item.state === state);
  if (found.length === 0) return [];
  const { symbol, word, tone } = itemStyle(state);
  const title: Line = [{ text: ` ${symbol} ${word} (${found.length})`, tone: tone === "plain" ? "accent" : tone }];
  const more = found.length - mostShown;
  const rest: Line = [{ text: `   and ${more} more`, tone: "dim" }];
  return [
    { line: [] },
    { line: title },
    ...found.slice(0, more > 0 ? mostShown : found.length).map((item) => itemLine(item, drawing)),
    ...(more > 0 ? [{ line: rest }] : []),
  ];
}

function itemLine({ name, state, error, beginTime, endTime }: WaveItem, { width, hubMs }: WaveDrawing): PickLine {
  const { symbol, tone } = itemStyle(state);
  const untilMs = endTime?.getTime() ?? hubMs;
  const took = beginTime === undefined ? "" : formatAge(Math.max(0, untilMs - beginTime.getTime()));
  const line: Line = [
    { text: `   ${symbol} `, tone },
    { text: fitText(plainText(shortName(name)), 32, "left", "middle"), tone: "strong" },
    { text: ` ${took.padStart(5)}  `, tone: "dim" },
    { text: plainText(error?.message ?? ""), tone },
  ];
  return { key: name, line: cutLine(line, width) };
}
