import { toOptionalDuration } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { Direction, Impairment, type ImpairmentStep } from "../../../proto/gen/zor/v1/impairment.js";
import { parseDurationMs } from "./durations.js";
import { parseSettings } from "./impairment-settings.js";

const form = /^(\S+)\s+for\s+(\S+)(?:\s+every\s+(\S+))?(?:\s+(ab|ba))?\s*:\s*(.+)$/;

/**
 * Parses one step of a schedule, "30s for 10s every 1m ab: loss 20%, delay 50ms": when it starts, how long it lasts, when it comes
 * again, in which direction, and what happens then.
 */
export function parseStep(where: string, text: string): ImpairmentStep {
  const match = form.exec(text.trim());
  if (match === null) {
    throw invalidArgument(where, `${quote(text)} does not have the form "30s for 10s [every 1m] [ab|ba]: loss 20%"`);
  }
  const [, start = "", duration = "", repeat, direction, settings = ""] = match;
  const startMs = /^0(ms|s|m|h)?$/.test(start) ? 0 : parseDurationMs(where, start);
  return {
    start: toOptionalDuration(startMs),
    duration: toOptionalDuration(parseDurationMs(where, duration)),
    repeatEvery: repeat === undefined ? undefined : toOptionalDuration(parseDurationMs(where, repeat)),
    direction: directionOf(direction),
    impairment: Impairment.fromPartial(parseSettings(where, settings)),
  };
}

/** Parses a file of steps, one a line; empty lines and lines that begin with # are skipped. */
export function parseScheduleFile(file: string, content: string): ImpairmentStep[] {
  return content.split("\n").flatMap((line, index) => {
    const text = line.trim();
    return text === "" || text.startsWith("#") ? [] : [parseStep(`${file}:${index + 1}`, text)];
  });
}

function directionOf(word: string | undefined): Direction {
  if (word === "ab") return Direction.DIRECTION_A_TO_B;
  return word === "ba" ? Direction.DIRECTION_B_TO_A : Direction.DIRECTION_UNSPECIFIED;
}
