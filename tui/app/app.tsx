import { Box, useApp, useInput, usePaste, useWindowSize } from "ink";
import { type ReactNode, useEffect, useLayoutEffect, useSyncExternalStore } from "react";
import { chordsOf } from "../kit/keys/chord.js";
import type { Model } from "../kit/model.js";
import { type Body, type BodyLine, fixedBody } from "../kit/screen.js";
import type { Canvas, CellRows } from "./canvas.js";
import { confirmLines } from "./confirm.js";
import type { Controller } from "./controller.js";
import { hintLine, messageLines } from "./footer.js";
import { headerLines } from "./header.js";
import { LineView, LookContext } from "./line-view.js";
import type { Settings } from "../settings/settings.js";
import { type Look, withSkin } from "./theme.js";
import { titleLine } from "./title.js";

/** Smallest terminal anything useful fits into. */
const smallest = { columns: 60, rows: 12 };

/** What of Ink the program outside React needs. */
export interface ScreenHandle {
  /** Gives the terminal away while `work` runs, then draws everything again. */
  suspend(work: () => Promise<void>): Promise<void>;
}

interface AppProps {
  readonly model: Model;
  readonly controller: Controller;
  /** What the terminal can do. */
  readonly look: Look;
  /** What the user has set. Default: nothing. */
  readonly settings?: Settings;
  /** Draws what has colours of its own; without it, that is drawn without them. */
  readonly canvas?: Canvas | undefined;
  readonly onReady: (handle: ScreenHandle) => void;
}

/** The whole screen. It always leaves the last terminal row free: Ink clears the screen for frames that fill it. */
export function App({ model, controller, look: terminalLook, settings, canvas, onReady }: AppProps): ReactNode {
  useSyncExternalStore(
    (listener) => model.subscribe(listener),
    () => model.version,
  );
  const look = settings === undefined ? terminalLook : withSkin(terminalLook, settings.values);
  const { columns, rows } = useWindowSize();
  const { suspendTerminal } = useApp();
  useEffect(() => onReady({ suspend: (work) => suspendTerminal(work) }), [onReady, suspendTerminal]);
  useInput((input, key) => {
    for (const chord of chordsOf(input, key)) controller.press(chord);
  });
  usePaste((text) => controller.paste(text));
  const lines =
    columns < smallest.columns || rows < smallest.rows
      ? tooSmall(columns, rows)
      : screenLines(model, controller, columns, rows - 1);
  // Ink draws before effects run, and what it draws then must be known to be its own.
  canvas?.want(cellsOf(lines), `${columns}x${rows}`);
  useLayoutEffect(() => canvas?.refresh());
  return (
    <LookContext.Provider value={look}>
      <Box flexDirection="column" width={columns} height={Math.max(1, rows - 1)} overflow="hidden">
        {lines.map((line, index) => (
          <LineView
            // biome-ignore lint/suspicious/noArrayIndexKey: a line of the screen is its place
            key={index}
            width={columns}
            line={line.line}
            selected={line.selected ?? false}
            faded={line.faded ?? false}
            drawn={canvas !== undefined && line.cells !== undefined}
          />
        ))}
      </Box>
    </LookContext.Provider>
  );
}

function cellsOf(lines: readonly BodyLine[]): CellRows {
  return new Map(lines.flatMap(({ cells }, row) => (cells === undefined ? [] : [[row, cells] as const])));
}

function screenLines(model: Model, controller: Controller, width: number, height: number): readonly BodyLine[] {
  const header = headerLines(model, width);
  const room = height - header.length - 2;
  // What is said decides how much room is left; what is said least is what the body leaves to say.
  const spoken = messageLines(model, controller.completions(), width, "");
  const bodyHeight = room - spoken.length;
  const body = drawBody(model, width, bodyHeight);
  const { lines, aside } = body;
  const message = aside === undefined ? spoken : messageLines(model, controller.completions(), width, aside);
  controller.clicks.drawn(header.length + 1, lines.slice(0, bodyHeight));
  const blank = Array.from({ length: Math.max(0, bodyHeight - lines.length) }, () => ({ line: [] }));
  return [
    ...header.map((line) => ({ line })),
    { line: titleLine(model, width, body) },
    ...lines.slice(0, bodyHeight),
    ...blank,
    ...message.map((line) => ({ line })),
    { line: hintLine(model, controller.commands, width) },
  ];
}

/** The screen on top, or the question that has to be answered first. */
function drawBody({ screen, prompt }: Model, width: number, height: number): Body {
  return prompt?.type === "confirm" ? fixedBody(confirmLines(prompt, width, height)) : screen.draw(width, height);
}

function tooSmall(columns: number, rows: number): readonly BodyLine[] {
  const texts = [`terminal is ${columns}x${rows}`, `zor tui needs ${smallest.columns}x${smallest.rows}`, "q quits"];
  return texts.slice(0, Math.max(1, rows - 1)).map((text) => ({ line: [{ text, tone: "warn" }] }));
}
