import headless from "@xterm/headless";
import { describe, expect, it } from "vitest";
import { Canvas, type TerminalSize } from "../../../../tui/app/canvas.js";
import { CellLine, cellFlags, trueColour } from "../../../../tui/kit/cells/cell-line.js";
import { type ColourDepth, colourDepth } from "../../../../tui/kit/cells/colour-depth.js";

function canvas(depth: ColourDepth = "256", ascii = false) {
  const state = { isFull: false, size: { columns: 80, rows: 24 }, written: [] as string[] };
  const made = new Canvas(
    {
      write: (data) => {
        state.written.push(data);
        return true;
      },
      get isFull() {
        return state.isFull;
      },
      get size() {
        return state.size;
      },
    },
    { depth, ascii },
  );
  /** What was written since it was last asked. */
  const taken = () => state.written.splice(0).join("");
  return { canvas: made, state, taken };
}

function lineOf(text: string, style: { flags?: number; foreground?: number } = {}): CellLine {
  const line = new CellLine(10);
  line.write(0, text, style.flags ?? 0);
  if (style.foreground !== undefined) line.foreground.fill(style.foreground, 0, text.length);
  return line;
}

function show(drawn: Canvas, lines: readonly CellLine[], size: TerminalSize = { columns: 80, rows: 24 }): void {
  drawn.want(lines, size);
  drawn.refresh();
}

const begin = "\x1b[?7l";
const end = "\x1b[0m\x1b[?7h";

const blank = lineOf("");
/** All is erased before it is drawn for the first time. */
const clear = "\x1b[H\x1b[0m\x1b[J";

describe("the canvas", () => {
  it("draws lines where they belong, and then only what has changed of them", () => {
    const { canvas: drawn, state, taken } = canvas();
    const hello = (text: string) => [blank, blank, lineOf(text, { flags: cellFlags.bold, foreground: 1 })];
    show(drawn, hello("hello"));
    expect(taken()).toBe(`${begin}${clear}\x1b[3;1H\x1b[0;1;31mhello${end}`);
    show(drawn, hello("hexlo"));
    expect(taken()).toBe(`${begin}\x1b[3;3H\x1b[0;1;31mx${end}`);
    show(drawn, hello("hexlo"));
    expect(taken()).toBe("");
    show(drawn, hello("hexlo"), { columns: 90, rows: 24 });
    // The terminal has not become so wide yet, or is already something else.
    expect(taken()).toBe("");
    state.size = { columns: 90, rows: 24 };
    drawn.refresh();
    expect(taken()).toContain("hexlo");
  });

  it("draws all again behind what Ink writes, but for modes", () => {
    const { canvas: drawn, taken } = canvas();
    show(drawn, [blank, lineOf("one"), lineOf("two")]);
    taken();
    expect(drawn.through("\x1b[?2026h")).toBe("\x1b[?2026h");
    expect(drawn.through("\n\n")).toBe(`\n\n${begin}${clear}\x1b[2;1H\x1b[0mone\x1b[3;1H\x1b[0mtwo${end}`);
    show(drawn, [blank, lineOf("one"), lineOf("two")]);
    expect(taken()).toBe("");
  });

  it("leaves the terminal to whoever has it, and draws all when it is back", () => {
    const { canvas: drawn, taken } = canvas();
    show(drawn, [lineOf("one")]);
    taken();
    drawn.away();
    show(drawn, [lineOf("two")]);
    expect(drawn.through("\x1b[2K\x1b[1A")).toBe("\x1b[2K\x1b[1A");
    expect(taken()).toBe("");
    drawn.back();
    expect(taken()).toContain("two");
  });

  it("writes what is between two changes where that is shorter, and erases long ends", () => {
    const { canvas: drawn, taken } = canvas();
    const wide = (text: string) => {
      const line = new CellLine(40);
      line.write(0, text);
      return line;
    };
    show(drawn, [wide("a1 b2 and much that stays c3")]);
    taken();
    show(drawn, [wide("A1 B2 and much that stays C3")]);
    expect(taken()).toBe(`${begin}\x1b[1;1H\x1b[0mA1 B\x1b[1;27HC${end}`);
    show(drawn, [wide("A1")]);
    expect(taken()).toBe(`${begin}\x1b[1;4H\x1b[0m\x1b[K${end}`);
  });

  it("waits for a terminal that does not keep up, and draws then how things are", () => {
    const { canvas: drawn, state, taken } = canvas();
    state.isFull = true;
    show(drawn, [lineOf("old")]);
    show(drawn, [lineOf("new")]);
    expect(taken()).toBe("");
    state.isFull = false;
    drawn.refresh();
    expect(taken()).toContain("new");
  });

  it.each<readonly [ColourDepth, string]>([
    ["true", "\x1b[0;38;2;255;100;0m"],
    ["256", "\x1b[0;38;5;202m"],
    ["16", "\x1b[0;91m"],
    ["none", "\x1b[0m"],
  ])("asks for colours as the terminal has them: %s", (depth, expected) => {
    const { canvas: drawn, taken } = canvas(depth);
    show(drawn, [lineOf("x", { foreground: trueColour(0xff6400) })]);
    expect(taken()).toContain(`${expected}x`);
  });

  it("keeps to ASCII where that is all there is, and never halves a wide character", () => {
    const { canvas: drawn, taken } = canvas("none", true);
    show(drawn, [lineOf("│漢a")]);
    expect(taken()).toContain("|??a");
    const other = canvas();
    show(other.canvas, [lineOf("漢a")]);
    other.taken();
    show(other.canvas, [lineOf("字a")]);
    expect(other.taken()).toBe(`${begin}\x1b[1;1H\x1b[0m字${end}`);
  });

  it("has shades for two pixels in a cell where there are no halves, or no colours", () => {
    for (const [depth, ascii] of [
      ["none", false],
      ["256", true],
    ] as const) {
      const { canvas: drawn, taken } = canvas(depth, ascii);
      const line = lineOf("▀");
      line.foreground[0] = trueColour(0xffffff);
      line.background[0] = trueColour(0xffffff);
      show(drawn, [line]);
      expect(taken()).toContain("@");
    }
  });

  it("leaves in a terminal what it was given", async () => {
    const terminal = new headless.Terminal({ cols: 10, rows: 4, allowProposedApi: true });
    const { canvas: drawn, state, taken } = canvas();
    state.size = { columns: 10, rows: 4 };
    const texts = ["first", "漢字 x", "│ end", "第 1 次", ""];
    for (const text of texts) {
      show(drawn, [lineOf(text), blank, lineOf(`${text}!`)], state.size);
      await new Promise<void>((resolve) => terminal.write(taken(), resolve));
      const shown = (row: number) => terminal.buffer.active.getLine(row)?.translateToString(true).trimEnd();
      expect([shown(0), shown(1), shown(2)]).toEqual([text, "", `${text}!`]);
    }
    terminal.dispose();
  });
});

it.each([
  [{ NO_COLOR: "1", COLORTERM: "truecolor" }, "none"],
  [{ COLORTERM: "truecolor" }, "true"],
  [{ TERM: "xterm-direct" }, "true"],
  [{ TERM: "screen-256color" }, "256"],
  [{ TERM: "linux" }, "16"],
  [{ TERM: "xterm" }, "16"],
  [{ TERM: "vt220" }, "none"],
])("the environment %j has colours: %s", (env, depth) => {
  expect(colourDepth(env)).toBe(depth);
});
