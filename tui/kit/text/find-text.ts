import type { Line, Segment } from "./segment.js";

/** Whether a line says something, whatever the case. An empty text is nowhere. */
export function saysText(line: Line, wanted: string): boolean {
  return wanted !== "" && textOf(line).includes(wanted.toLowerCase());
}

/** A line with every place of a text inverse. */
export function markText(line: Line, wanted: string): Line {
  const sought = wanted.toLowerCase();
  if (!saysText(line, wanted)) return line;
  const whole = textOf(line);
  const places: (readonly [number, number])[] = [];
  for (let at = whole.indexOf(sought); at >= 0; at = whole.indexOf(sought, at + sought.length)) {
    places.push([at, at + sought.length]);
  }
  const marked: Segment[] = [];
  let begin = 0;
  for (const segment of line) {
    const end = begin + segment.text.length;
    let at = begin;
    for (const [from, to] of places) {
      if (to <= at || from >= end) continue;
      const [first, last] = [Math.max(from, at), Math.min(to, end)];
      if (first > at) marked.push({ ...segment, text: segment.text.slice(at - begin, first - begin) });
      marked.push({ ...segment, text: segment.text.slice(first - begin, last - begin), inverse: true });
      at = last;
    }
    if (at < end) marked.push({ ...segment, text: segment.text.slice(at - begin) });
    begin = end;
  }
  return marked;
}

function textOf(line: Line): string {
  const text = line.map((segment) => segment.text).join("");
  const lower = text.toLowerCase();
  // A few characters become longer: places in the one are then no places in the other.
  return lower.length === text.length ? lower : text;
}
