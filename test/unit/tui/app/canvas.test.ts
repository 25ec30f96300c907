import { describe, expect, it } from "vitest";
import headless from "@xterm/headless";
import { Canvas, canvasMark } from "../../../../tui/app/canvas.js";
import { CellLine, cellFlags, trueColour } from "../../../../tui/kit/cells/cell-line.js";
import { colourDepth, type ColourDepth } from "../../../../tui/kit/cells/colour-depth.js";

/** A frame that leaves every line to the canvas. */
const whole = `\x1b[H${Array.from({ length: 23 }, () => canvasMark).join("\n")}\n`;

function canvas(depth: ColourDepth = "256", ascii = false) {
  const state = { isFull: false, size: "80x24", written: [] as string[] };
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
  made.through(whole);
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

function show(drawn: Canvas, wanted: ReadonlyMap<number, CellLine>, size: string): void {
  drawn.want(wanted, size);
  drawn.refresh();
}

const begin = "\x1b7\x1b[?7l";
const end = "\x1b[0m\x1b[?7h\x1b8";

const rows = (...lines: readonly (readonly [number, CellLine])[]) => new Map(lines);

describe("the canvas", () => {
  it("draws lines where they belong, and then only what has changed of them", () => {
    const { canvas: drawn, state, taken } = canvas();
    show(drawn, rows([2, lineOf("hello", { flags: cellFlags.bold, foreground: 1 })]), "80x24");
    expect(taken()).toBe(`${begin}\x1b[3;1H\x1b[0;1;31mhello\x1b[0m     ${end}`);
    show(drawn, rows([2, lineOf("hexlo", { flags: cellFlags.bold, foreground: 1 })]), "80x24");
    expect(taken()).toBe(`${begin}\x1b[3;3H\x1b[0;1;31mx${end}`);
    show(drawn, rows([2, lineOf("hexlo", { flags: cellFlags.bold, foreground: 1 })]), "80x24");
    expect(taken()).toBe("");
    show(drawn, rows([2, lineOf("hexlo", { flags: cellFlags.bold, foreground: 1 })]), "90x24");
    // The terminal has not become so wide yet, or is already something else.
    expect(taken()).toBe("");
    state.size = "90x24";
    expect(drawn.through(whole)).toContain("hexlo");
  });

  it("draws again what Ink has written over, with what it wrote, and nothing else", () => {
    const { canvas: drawn, taken } = canvas();
    show(drawn, rows([1, lineOf("one")], [2, lineOf("two")]), "80x24");
    taken();
    const frame = "\x1b[23A\x1b[1G\x1b[Kheader\n\x1b[E\x1b[1G\x1b[Kx\n\x1b[E";
    const marked = frame.replace("x", canvasMark);
    expect(drawn.through(marked)).toBe(`${frame.replace("x", " ")}${begin}\x1b[3;1H\x1b[0mtwo       ${end}`);
    expect(drawn.through("\x1b[?2026h")).toBe("\x1b[?2026h");
    expect(drawn.through(whole)).toMatch(/one.*two/s);
    expect(drawn.through("\x07")).toBe("\x07");
    show(drawn, rows(), "80x24");
    expect(drawn.through("\x1b[H\x1b[Jall")).toBe("\x1b[H\x1b[Jall");
    expect(taken()).toBe("");
  });

  it("draws nothing where Ink has not left the line to it yet, or not any more", () => {
    const { canvas: drawn, taken } = canvas();
    expect(drawn.through(`\x1b[H\n${canvasMark}\ntext\n`)).toBe("\x1b[H\n \ntext\n");
    show(drawn, rows([0, lineOf("zero")], [1, lineOf("one")], [2, lineOf("two")]), "80x24");
    expect(taken()).toBe(`${begin}\x1b[2;1H\x1b[0mone       ${end}`);
    expect(drawn.through("\x1b[2K\x1b[1A\x1b[2K\x1b[G\x1b[2A\x1b[E\x1b[1G\x1b[Ktext\n\x1b[E")).not.toContain("one");
    expect(drawn.through(`\x1b[3A${canvasMark}\n\x1b[E\x1b[E`)).toContain("zero");
  });

  it("waits for a terminal that does not keep up, and draws then how things are", () => {
    const { canvas: drawn, state, taken } = canvas();
    state.isFull = true;
    show(drawn, rows([0, lineOf("old")]), "80x24");
    show(drawn, rows([0, lineOf("new")]), "80x24");
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
    show(drawn, rows([0, lineOf("x", { foreground: trueColour(0xff6400) })]), "80x24");
    expect(taken()).toContain(`${expected}x`);
  });

  it("keeps to ASCII where that is all there is, and never halves a wide character", () => {
    const { canvas: drawn, taken } = canvas("none", true);
    show(drawn, rows([0, lineOf("│漢a")]), "80x24");
    expect(taken()).toContain("|??a");
    const other = canvas();
    show(other.canvas, rows([0, lineOf("漢a")]), "80x24");
    other.taken();
    show(other.canvas, rows([0, lineOf("字a")]), "80x24");
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
      show(drawn, rows([0, line]), "80x24");
      expect(taken()).toContain("@");
    }
  });

  it("leaves in a terminal what it was given", async () => {
    const terminal = new headless.Terminal({ cols: 10, rows: 4, allowProposedApi: true });
    const { canvas: drawn, state, taken } = canvas();
    state.size = "10x4";
    const texts = ["first", "漢字 x", "│ end", "第 1 次", ""];
    for (const text of texts) {
      show(drawn, rows([0, lineOf(text)], [2, lineOf(`${text}!`)]), "10x4");
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
