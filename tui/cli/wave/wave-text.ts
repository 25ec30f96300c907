import { countedNames, nounOf } from "../../../lib/counted-names.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import type { Wave, WaveItem } from "../../../proto/gen/zor/v1/wave.js";
import { operationStyle } from "../../kinds/operation/states.js";
import { waveVerb } from "../../kinds/operation/wave-spec.js";
import { countsOf, itemStates, itemStyle } from "../../kinds/operation/wave-states.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";

/** Each resource of a wave on a line of its own, with why it failed. */
export function itemLines({ items }: Wave): readonly string[] {
  return items.map(itemText);
}

/** A wave in a few lines: what it does, how it stands, and each of its resources. */
export function describeWave(wave: Wave): readonly string[] {
  const isPaused = wave.paused && wave.state === OperationState.OPERATION_STATE_RUNNING;
  const { spec } = wave;
  const counts = countsOf(wave);
  const told = itemStates.flatMap((state) => {
    const count = counts.get(state) ?? 0;
    return count === 0 ? [] : [`${count} ${itemStyle(state).word}`];
  });
  const word = isPaused ? `paused: ${wave.pauseReason}` : operationStyle(wave.state).word;
  return [
    ...(spec === undefined ? [] : [`wave       ${waveVerb(spec)} ${countedNames(spec.names)}, for ${wave.caller}`]),
    `state      ${word}`,
    `${nounOf(wave.items.map(({ name }) => name)).many.padEnd(9)}  ${told.join(", ")}`,
    "",
  ]
    .map(escapeText)
    .concat(itemLines(wave));
}

/** "failed       alpha/vm1: why". Escaped. */
export function itemText({ name, state, error }: WaveItem): string {
  const why = error === undefined ? "" : `: ${error.message}`;
  return escapeText(`${itemStyle(state).word.padEnd(11)}  ${shortName(name)}${why}`);
}
