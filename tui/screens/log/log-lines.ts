import { fitText, textWidth } from "../../kit/text/text-width.js";
import { graphemesOf } from "../../kit/text/text-width.js";
import type { Tone } from "../../kit/states.js";
import type { Line, Segment } from "../../kit/text/segment.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import type { LogEntry } from "./log-buffer.js";

/** How lines are drawn. */
export interface LogLook {
  readonly width: number;
  /** Long lines go on below themselves; false: they are cut, and moved sideways. */
  readonly wraps: boolean;
  readonly times: boolean;
  /** Names of the logs, one for each; none where there is one. */
  readonly names: readonly string[];
  /** Cells that are moved out to the left. */
  readonly offset: number;
  /** Cells at the beginning of each line that stay when it is moved. */
  readonly locked: number;
}

const nameTones: readonly Tone[] = ["accent", "good", "warn", "busy", "strong", "plain"];
const widestName = 20;

/** The lines of the screen that a line of a log takes. */
export function entryLines({ text, tone, time, source }: LogEntry, look: LogLook): readonly Line[] {
  const { width, wraps, names, offset, locked } = look;
  const nameWidth = Math.min(widestName, ...[names.reduce((most, name) => Math.max(most, textWidth(name)), 0)]);
  const prefix: Segment[] = [
    { text: " " },
    ...(look.times ? [{ text: `${clockOf(time)} `, tone: "dim" } as const] : []),
    ...(names.length < 2
      ? []
      : [
          {
            text: `${fitText(names[source] ?? "", nameWidth, "left", "middle")} `,
            tone: nameTones[source % nameTones.length] ?? "plain",
          } as const,
        ]),
  ];
  const used = prefix.reduce((sum, segment) => sum + textWidth(segment.text), 0);
  const room = Math.max(10, width - used - 1);
  const toned = tone === undefined ? {} : { tone };
  if (!wraps) return [[...prefix, { text: moved(text, { offset, locked, room }), ...toned }]];
  return wrapText(text, room).map((part, index) =>
    index === 0 ? [...prefix, { text: part, ...toned }] : [{ text: " ".repeat(used) }, { text: part, ...toned }],
  );
}

/** Time of day with milliseconds; blank where nobody knows it. */
function clockOf(time: Date | undefined): string {
  if (time === undefined) return " ".repeat(12);
  const pad = (value: number, digits = 2): string => `${value}`.padStart(digits, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => pad(part)).join(":");
  return `${clock}.${pad(time.getMilliseconds(), 3)}`;
}

/** A line moved to the left; its beginning may stay. */
function moved(
  text: string,
  { offset, locked, room }: { readonly offset: number; readonly locked: number; readonly room: number },
): string {
  if (offset === 0) return fitText(text, room).trimEnd();
  const stays = Math.min(locked, Math.floor(room / 2));
  let [at, kept, rest] = [0, "", ""];
  for (const { text: character, width } of graphemesOf(text)) {
    if (at < stays) kept += character;
    else if (at >= stays + offset) rest += character;
    at += width;
  }
  const mark = stays === 0 ? "" : "│";
  return fitText(`${stays === 0 ? "" : fitText(kept, stays)}${mark}${rest}`, room).trimEnd();
}
