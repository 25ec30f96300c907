import { render } from "ink-testing-library";
import { App } from "../../../tui/app/app.js";
import type { TerminalSize } from "../../../tui/app/canvas.js";
import { Painter } from "../../../tui/app/painter.js";
import type { Look } from "../../../tui/app/theme.js";
import type { CellLine } from "../../../tui/kit/cells/cell-line.js";
import { CellStyles } from "../../../tui/kit/cells/colour-depth.js";
import { eventually } from "../../helpers/eventually.js";
import type { TestProgram } from "./program.js";
import { expect } from "vitest";

/** The program on a screen. */
export interface Shown {
  /** All lines as they are now, but for the last row of the terminal, with their colours. */
  frame(): string;
  /** The same without. */
  lines(): string[];
  /** Sends what a terminal sends. */
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  unmount(): void;
}

/** Puts a program on a screen that a test looks at. */
export async function showOn(
  { model, controller }: Pick<TestProgram, "model" | "controller">,
  size: TerminalSize,
  look: Look = { unicode: true, colors: true },
): Promise<Shown> {
  const now = { ...size };
  let shown: readonly CellLine[] = [];
  const want = (lines: readonly CellLine[]): void => {
    shown = lines;
  };
  const canvas = { want, refresh: () => undefined };
  const painter = new Painter({ model, controller, look, canvas, size: () => now });
  const rendered = render(<App controller={controller} onTyped={() => undefined} onReady={() => undefined} />);
  // Ink listens to keys only after its effects have run.
  await eventually(() => expect(rendered.stdin.listenerCount("readable")).toBe(1));
  const current = (): readonly CellLine[] => {
    painter.paint();
    return shown.slice(0, -1);
  };
  return {
    frame: () => current().map(coloured).join("\n"),
    lines: () => current().map((line) => line.text().trimEnd()),
    type: (keys) => {
      for (const key of keys) rendered.stdin.write(key);
    },
    resize: (columns, rows) => void Object.assign(now, { columns, rows }),
    unmount: () => {
      painter.stop();
      rendered.unmount();
    },
  };
}

const styles = new CellStyles("16");

function coloured(line: CellLine): string {
  let out = "";
  let style = "0";
  for (const [cell, glyph] of line.glyphs.entries()) {
    if (glyph === "") continue;
    const wanted = styles.of(line.foreground[cell] ?? 0, line.background[cell] ?? 0, line.flags[cell] ?? 0);
    if (wanted !== style) out += `\x1b[${wanted}m`;
    style = wanted;
    out += glyph;
  }
  return `${out.trimEnd()}\x1b[0m`;
}
