import type { Model } from "../kit/model.js";
import { type Body, type BodyLine, fixedBody } from "../kit/screen.js";
import type { TerminalSize } from "./canvas.js";
import { confirmLines } from "./confirm.js";
import type { Controller } from "./controller.js";
import { hintLine, messageLines } from "./footer.js";
import { headerLines } from "./header.js";
import { titleLine } from "./title.js";

/** Smallest terminal anything useful fits into. */
const smallest = { columns: 60, rows: 12 };

/** All lines of the screen. The last row of the terminal is always left free: Ink clears the screen for frames that fill it. */
export function screenLines(
  model: Model,
  controller: Controller,
  { columns, rows }: TerminalSize,
): readonly BodyLine[] {
  if (columns < smallest.columns || rows < smallest.rows) return tooSmall(columns, rows);
  const header = headerLines(model, columns);
  const room = rows - 1 - header.length - 2;
  // What is said decides how much room is left; what is said least is what the body leaves to say.
  const suggested = controller.completions();
  const completions = suggested.lines;
  const spoken = messageLines(model, completions, columns, "");
  const bodyHeight = room - spoken.length;
  const body = drawBody(model, columns, bodyHeight);
  const { lines, aside } = body;
  const message = aside === undefined ? spoken : messageLines(model, completions, columns, aside);
  controller.clicks.drawn(header.length + 1, lines.slice(0, bodyHeight));
  const blank = Array.from({ length: Math.max(0, bodyHeight - lines.length) }, () => ({ line: [] }));
  return [
    ...header.map((line) => ({ line })),
    { line: titleLine(model, columns, body) },
    ...lines.slice(0, bodyHeight),
    ...blank,
    ...message.map((line) => ({ line })),
    { line: hintLine(model, controller.commands, columns, suggested) },
  ].slice(0, rows - 1);
}

/** The screen on top, or the question that has to be answered first. */
function drawBody({ screen, prompt }: Model, width: number, height: number): Body {
  return prompt?.type === "confirm" ? fixedBody(confirmLines(prompt, width, height)) : screen.draw(width, height);
}

function tooSmall(columns: number, rows: number): readonly BodyLine[] {
  const texts = [`terminal is ${columns}x${rows}`, `zor tui needs ${smallest.columns}x${smallest.rows}`, "q quits"];
  return texts.slice(0, Math.max(1, rows - 1)).map((text) => ({ line: [{ text, tone: "warn" }] }));
}
