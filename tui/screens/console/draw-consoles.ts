import { cellFlags, CellLine } from "../../kit/cells/cell-line.js";
import { shortName } from "../../kit/resource-name.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Segment } from "../../kit/text/segment.js";
import { cutText } from "../../kit/text/text-width.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import { type ConsoleSession, isShell } from "./console-session.js";
import type { Consoles } from "./consoles.js";

/** From here on two consoles stand side by side, below it one above the other. */
const sideBySide = 120;

/** How the consoles that are looked at are drawn. */
export interface ConsolesView {
  readonly width: number;
  readonly height: number;
  readonly isTyping: boolean;
}

/** The console that is typed to, and the one beside it. */
export function drawConsoles(consoles: Consoles, { width, height, isTyping }: ConsolesView): readonly CellLine[] {
  const { all, here, beside } = consoles;
  if (here === undefined) return [];
  if (beside === undefined) return drawOne(here, { width, height, isTyping });
  const both = all.filter((each) => each === here || each === beside);
  const one = (session: ConsoleSession, room: Pick<ConsolesView, "width" | "height">): readonly CellLine[] => [
    headOf(session, room.width, session === here),
    ...drawOne(session, { width: room.width, height: room.height - 1, isTyping: isTyping && session === here }),
  ];
  const [first, second] = both;
  if (first === undefined || second === undefined) return [];
  if (width < sideBySide) {
    const upper = Math.ceil(height / 2);
    return [...one(first, { width, height: upper }), ...one(second, { width, height: height - upper })];
  }
  const half = Math.floor((width - 1) / 2);
  const left = one(first, { width: half, height });
  const right = one(second, { width: width - 1 - half, height });
  return left.map((line, row) => {
    const whole = new CellLine(width);
    whole.insert(0, line);
    whole.write(half, "│", cellFlags.dim);
    whole.insert(half + 1, right[row] ?? new CellLine(0));
    return whole;
  });
}

function drawOne(session: ConsoleSession, { width, height, isTyping }: ConsolesView): readonly CellLine[] {
  session.resize({ columns: Math.max(2, width), rows: Math.max(1, height) });
  session.activity = "none";
  const lines = session.draw({ showCursor: session.state.phase === "open" && (isTyping || session.scrolled === 0) });
  const words = stateWords(session);
  if (words === "") return lines;
  // Over its last lines: what stands there is old. Why it is so and what to do must be read to its end.
  const told = wrapText(plainText(words), Math.max(1, width - 2)).slice(0, Math.max(1, Math.floor(height / 2)));
  return [...lines.slice(0, -told.length), ...told.map((text) => stateLine(text, width))];
}

function stateLine(text: string, width: number): CellLine {
  const line = new CellLine(width);
  line.write(0, cutText(` ${text} `, width), cellFlags.inverse);
  return line;
}

/** What is to be said of a console that is not open; "" of one that is. */
function stateWords({ state, place }: ConsoleSession): string {
  switch (state.phase) {
    case "open":
      return state.facts.missing ? "attached again; some of the output meanwhile may be missing" : "";
    case "opening":
      return `${isShell(place) ? "opening a shell on" : "attaching to"} ${shortName(place.name)}`;
    case "lost":
      return `the connection was lost (${state.why}); trying to have it back`;
    case "ended":
      if (isShell(place)) return state.failed ? `${state.why}; enter tries again` : `${state.why}; enter opens another`;
      return state.failed ? `cannot attach: ${state.why}; enter tries again` : `${state.why}; enter attaches again`;
  }
}

function headOf(session: ConsoleSession, width: number, isHere: boolean): CellLine {
  const line = new CellLine(width);
  const flags = isHere ? cellFlags.inverse | cellFlags.bold : cellFlags.inverse | cellFlags.dim;
  line.write(0, cutText(` ${labelOf(session)} `, width).padEnd(width), flags);
  return line;
}

/** "alpha/vm1", "alpha/vm1 port 1", "alpha/vm1 (looks)", "shell alpha". */
export function labelOf({ place }: ConsoleSession): string {
  const { name, port, readOnly } = place;
  if (isShell(place)) return `shell ${plainText(shortName(name))}`;
  return `${plainText(shortName(name))}${port === 0 ? "" : ` port ${port}`}${readOnly ? " (looks)" : ""}`;
}

const marks = { none: "", said: "*", bell: "!" } as const;

/** The consoles there are, the one that is typed to marked, and those that have said something since they were looked at. */
export function tabsOf({ all, here }: Consoles): readonly Segment[] {
  if (all.length < 2) return [];
  return all.flatMap((session, index): Segment[] => {
    const text = ` ${index + 1} ${labelOf(session)}${marks[session.activity]} `;
    const gap: Segment = { text: index === 0 ? " " : "", tone: "dim" };
    if (session === here) return [gap, { text, tone: "accent", inverse: true }];
    return [gap, { text, tone: session.activity === "none" ? "dim" : "warn" }];
  });
}
