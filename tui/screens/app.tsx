import { Box, useApp, useInput, usePaste, useWindowSize } from "ink";
import { type ReactNode, useEffect, useSyncExternalStore } from "react";
import { confirmLines, describeLines, emptyLines, helpLines } from "../components/body.js";
import { hintLine, messageLine } from "../components/footer.js";
import { headerLines } from "../components/header.js";
import { LineView, UnicodeContext } from "../components/line-view.js";
import { chordsOf } from "../keymap/chord.js";
import { describe, describeYaml } from "../store/describe/describe.js";
import { type Model, pageWindow } from "../store/model.js";
import type { Line } from "../store/segment.js";
import { drawTable, type FrameRow } from "../store/table-frame.js";
import type { TableWindow } from "../store/table-state.js";
import type { Controller } from "./controller.js";
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
  readonly unicode: boolean;
  readonly onReady: (handle: ScreenHandle) => void;
}

/** The whole screen. It always leaves the last terminal row free: Ink clears the screen for frames that fill it. */
export function App({ model, controller, unicode, onReady }: AppProps): ReactNode {
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
    <UnicodeContext.Provider value={unicode}>
      <Box flexDirection="column" width={columns} height={Math.max(1, rows - 1)} overflow="hidden">
        {lines.map((line, index) => (
          // A line of the screen is its place.
          // biome-ignore lint/suspicious/noArrayIndexKey: see above
          <LineView key={index} width={columns} {...line} />
        ))}
      </Box>
    </UnicodeContext.Provider>
  );
}

interface ScreenLine {
  readonly line: Line;
  readonly selected?: boolean;
  readonly faded?: boolean;
}

function screenLines(model: Model, controller: Controller, width: number, height: number): readonly ScreenLine[] {
  const header = headerLines(model, width);
  const bodyHeight = height - header.length - 3;
  const { body, window } = drawBody(model, controller, width, bodyHeight);
  const filled = [...body, ...Array.from({ length: Math.max(0, bodyHeight - body.length) }, () => ({ line: [] }))];
  return [
    ...header.map((line) => ({ line })),
    { line: titleLine(model, width, window) },
    ...filled.slice(0, bodyHeight),
    { line: messageLine(model, controller.completions(), width) },
    { line: hintLine(controller.keyContext, width) },
  ];
}

interface Body {
  readonly body: readonly ScreenLine[];
  readonly window: TableWindow | undefined;
}

function drawBody(model: Model, controller: Controller, width: number, height: number): Body {
  const { screen, prompt } = model;
  const plain = (lines: readonly Line[]): Body => ({ body: lines.map((line) => ({ line })), window: undefined });
  if (prompt?.type === "confirm") return plain(confirmLines(prompt, width, height));
  switch (screen.type) {
    case "help":
      return plain(pageWindow(screen.page, helpLines(controller.keyContext, width), height));
    case "detail": {
      const row = model.find(screen.kind, screen.name);
      if (row === undefined) return plain([[], [{ text: "   it is gone; esc goes back", tone: "warn" }]]);
      const lines = screen.yaml ? describeYaml(row) : describe(row, model.context);
      return plain(pageWindow(screen.page, describeLines(lines, width), height));
    }
    case "table": {
      const frame = drawTable(screen.table, width, height, model.context);
      const rows: readonly ScreenLine[] =
        frame.rows.length === 0
          ? emptyLines(model, screen.table).map((line) => ({ line }))
          : frame.rows.map((row: FrameRow) => ({ line: row.line, selected: row.selected, faded: row.faded }));
      return { body: [{ line: frame.header }, ...rows], window: frame.window };
    }
  }
}

function tooSmall(columns: number, rows: number): readonly ScreenLine[] {
  const text = `terminal is ${columns}x${rows}; make it ${smallest.columns}x${smallest.rows} or larger (q quits)`;
  const line: Line = [{ text, tone: "warn" }];
  return [{ line }];
}
