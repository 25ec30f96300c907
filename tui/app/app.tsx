import { Box, useApp, useInput, usePaste, useWindowSize } from "ink";
import { type ReactNode, useEffect, useSyncExternalStore } from "react";
import { confirmLines, describeLines, emptyLines, helpLines } from "./body.js";
import { hintLine, messageLines } from "./footer.js";
import { headerLines } from "./header.js";
import { LineView, LookContext } from "./line-view.js";
import type { Look } from "./theme.js";
import { chordsOf } from "../kit/keys/chord.js";
import { describe, describeYaml } from "../kinds/describe.js";
import { type Model, type Page, pageWindow } from "../kit/model.js";
import type { Line } from "../kit/text/segment.js";
import { drawTable } from "../kit/table/table-frame.js";
import type { TableState } from "../kit/table/table-state.js";
import type { Controller } from "./controller.js";
import { type Extent, titleLine } from "./title.js";

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
  readonly look: Look;
  readonly onReady: (handle: ScreenHandle) => void;
}

/** The whole screen. It always leaves the last terminal row free: Ink clears the screen for frames that fill it. */
export function App({ model, controller, look, onReady }: AppProps): ReactNode {
  useSyncExternalStore(
    (listener) => model.subscribe(listener),
    () => model.version,
  );
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
          />
        ))}
      </Box>
    </LookContext.Provider>
  );
}

interface ScreenLine {
  readonly line: Line;
  readonly selected?: boolean;
  readonly faded?: boolean;
}

function screenLines(model: Model, controller: Controller, width: number, height: number): readonly ScreenLine[] {
  const header = headerLines(model, width);
  const room = height - header.length - 2;
  // What is said decides how much room is left; what is said least is what the body leaves to say.
  const spoken = messageLines(model, controller.completions(), width, "");
  const bodyHeight = room - spoken.length;
  const { lines, extent, aside } = drawBody(model, controller, width, bodyHeight);
  const message = aside === undefined ? spoken : messageLines(model, controller.completions(), width, aside);
  const blank = Array.from({ length: Math.max(0, bodyHeight - lines.length) }, () => ({ line: [] }));
  return [
    ...header.map((line) => ({ line })),
    { line: titleLine(model, width, extent) },
    ...lines.slice(0, bodyHeight),
    ...blank,
    ...message.map((line) => ({ line })),
    { line: hintLine(model, controller.keyContext, width) },
  ];
}

interface Body {
  /** Said at the bottom when there is nothing more important. */
  readonly aside?: string;
  readonly lines: readonly ScreenLine[];
  readonly extent: Extent;
}

function drawBody(model: Model, controller: Controller, width: number, height: number): Body {
  const { screen, prompt } = model;
  if (prompt?.type === "confirm") return fixedBody(confirmLines(prompt, width, height));
  switch (screen.type) {
    case "help":
      return pageBody(screen.page, helpLines(model, controller.keyContext, width), height);
    case "diagnosis":
      return pageBody(screen.page, describeLines(screen.diagnosis.lines(model.nowMs), width), height);
    case "detail": {
      const row = model.find(screen.kind, screen.name);
      if (row === undefined) return fixedBody([[], [{ text: "   it is gone; esc goes back", tone: "warn" }]]);
      const lines = screen.yaml ? describeYaml(row) : describe(row, model.context);
      return pageBody(screen.page, describeLines(lines, width), height);
    }
    case "table":
      return tableBody(model, screen.table, width, height);
  }
}

function fixedBody(lines: readonly Line[]): Body {
  return { lines: lines.map((line) => ({ line })), extent: { top: 0, shown: lines.length, length: lines.length } };
}

function pageBody(page: Page, lines: readonly Line[], height: number): Body {
  const shown = pageWindow(page, lines, height);
  return {
    lines: shown.map((line) => ({ line })),
    extent: { top: page.top, shown: shown.length, length: lines.length },
  };
}

function tableBody(model: Model, table: TableState, width: number, height: number): Body {
  const { header, rows, window, cutText } = drawTable(table, width, height, model.context);
  const { top, matched, total } = window;
  const extent = { top, shown: rows.length, length: matched, total };
  if (rows.length === 0) return { lines: emptyLines(model, table).map((line) => ({ line })), extent };
  return { lines: [{ line: header }, ...rows], extent, aside: cutText };
}

function tooSmall(columns: number, rows: number): readonly ScreenLine[] {
  const texts = [`terminal is ${columns}x${rows}`, `zor tui needs ${smallest.columns}x${smallest.rows}`, "q quits"];
  return texts.slice(0, Math.max(1, rows - 1)).map((text) => ({ line: [{ text, tone: "warn" }] }));
}
