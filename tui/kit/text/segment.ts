import type { Tone } from "../states.js";
import { cutText, fitText, textWidth } from "./text-width.js";

/** A piece of a line: plain text (already safe for the terminal) in one tone. */
export interface Segment {
  readonly text: string;
  readonly tone?: Tone;
  /** Foreground and background change places. */
  readonly inverse?: boolean;
}

/** A line of the screen. */
export type Line = readonly Segment[];

/** Cells a line takes. */
export function lineWidth(line: Line): number {
  return line.reduce((sum, segment) => sum + textWidth(segment.text), 0);
}

/** A line cut to `width` cells. */
export function cutLine(line: Line, width: number): Line {
  if (lineWidth(line) <= width) return line;
  const cut: Segment[] = [];
  let room = width;
  for (const segment of line) {
    if (room <= 0) break;
    const text = cutText(segment.text, room);
    cut.push({ ...segment, text });
    room -= textWidth(text);
  }
  return cut;
}

/** One line out of a left and a right part; the right part is cut away first when there is no room for both. */
export function spreadLine(left: Line, right: Line, width: number, filler = " "): Line {
  const room = width - lineWidth(left);
  const fitted = lineWidth(right) < room ? right : [];
  const space = Math.max(0, width - lineWidth(left) - lineWidth(fitted));
  return cutLine([...left, { text: filler.repeat(space), tone: "dim" }, ...fitted], width);
}

/** A line filled up with spaces to exactly `width` cells. */
export function fillLine(line: Line, width: number): Line {
  const cut = cutLine(line, width);
  return [...cut, { text: fitText("", width - lineWidth(cut)) }];
}
