import headless, {
  type IBuffer,
  type IBufferCell,
  type IBufferLine,
  type IMarker,
  type Terminal,
} from "@xterm/headless";
import { cellFlags, CellLine, ownColour, trueColour } from "../../kit/cells/cell-line.js";
import { GuestGlyphs } from "./guest-glyph.js";

/** A size in cells. */
export interface CellSize {
  readonly columns: number;
  readonly rows: number;
}

/** What a guest's terminal tells. */
export interface GuestTerminalEvents {
  /** What it answers to what the guest asks of it: for the guest alone. */
  readonly onAnswer: (data: string) => void;
  readonly onBell: () => void;
}

/** A part of a line. */
export interface FoundText {
  /** Line of the buffer, from 0. */
  readonly line: number;
  readonly column: number;
  readonly width: number;
}

/** What is marked when lines are drawn. */
export interface DrawOptions {
  readonly showCursor: boolean;
  readonly found: readonly FoundText[];
  /** The one of them that was gone to. */
  readonly current: FoundText | undefined;
}

/** Lines that are kept above the screen. */
const scrollbackLines = 3000;

/**
 * A terminal in memory, which a guest believes to draw on: none of what the guest sends reaches the person's terminal, only cells do. What it
 * asks a terminal to do outside of its screen (titles, the clipboard, windows, links) is not done; what it asks to be answered, is
 * answered to it.
 */
export class GuestTerminal implements Disposable {
  readonly #terminal: Terminal;
  readonly #glyphs = new GuestGlyphs();
  readonly #cell: IBufferCell;
  #isCursorHidden = false;
  /** The first line that is seen, when that is not to move with what is said. */
  #pin: IMarker | undefined;

  constructor({ columns, rows }: CellSize, { onAnswer, onBell }: GuestTerminalEvents) {
    this.#terminal = new headless.Terminal({
      cols: columns,
      rows,
      scrollback: scrollbackLines,
      allowProposedApi: true,
      logLevel: "off",
    });
    this.#cell = this.#terminal.buffer.active.getNullCell();
    this.#terminal.onData(onAnswer);
    this.#terminal.onBell(onBell);
    for (const final of ["h", "l"]) {
      this.#terminal.parser.registerCsiHandler({ prefix: "?", final }, (parameters) => {
        if (parameters.includes(25)) this.#isCursorHidden = final === "l";
        return false;
      });
    }
    // What a terminal is called is nobody's business here, and would be kept without bound.
    for (const code of [0, 1, 2, 4, 8, 10, 11, 12, 52, 104]) {
      this.#terminal.parser.registerOscHandler(code, () => true);
    }
  }

  get size(): CellSize {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** Lines above the screen. */
  get linesAbove(): number {
    return this.#buffer.baseY;
  }

  /** The guest wants arrows as applications get them. */
  get wantsApplicationKeys(): boolean {
    return this.#terminal.modes.applicationCursorKeysMode;
  }

  /** The guest wants to know what is pasted. */
  get wantsPasteMarks(): boolean {
    return this.#terminal.modes.bracketedPasteMode;
  }

  get #buffer(): IBuffer {
    return this.#terminal.buffer.active;
  }

  /** Takes what the guest says; resolves when that has been drawn. Never blocks for long, however much it is. */
  write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#terminal.write(data, resolve));
  }

  resize({ columns, rows }: CellSize): void {
    if (columns !== this.#terminal.cols || rows !== this.#terminal.rows) this.#terminal.resize(columns, rows);
  }

  /** Lines that the view is above the end: of what is looked at, whatever was said since. */
  get scrolled(): number {
    if (this.#pin === undefined) return 0;
    // Lines that there is no more room for are gone.
    return this.#pin.isDisposed ? this.#buffer.baseY : Math.max(0, this.#buffer.baseY - this.#pin.line);
  }

  /** Looks so many lines above the end; 0: at the end, whatever is said. */
  scrollTo(lines: number): void {
    this.#pin?.dispose();
    const above = Math.min(this.#buffer.baseY, lines);
    this.#pin = above <= 0 ? undefined : this.#terminal.registerMarker(-above - this.#buffer.cursorY);
  }

  /** The lines that are seen. */
  draw(options: DrawOptions): readonly CellLine[] {
    const top = Math.max(0, this.#buffer.baseY - this.scrolled);
    return Array.from({ length: this.#terminal.rows }, (_, row) => this.#drawLine(top + row, options));
  }

  /** Where a text is, from the first line on. Small letters find large ones, too. */
  find(text: string): readonly FoundText[] {
    if (text === "") return [];
    const isExact = text !== text.toLowerCase();
    const found: FoundText[] = [];
    for (let line = 0; line < this.#buffer.length; line += 1) {
      const shown = this.#buffer.getLine(line);
      const content = shown?.translateToString(true) ?? "";
      const searched = isExact ? content : content.toLowerCase();
      for (let at = searched.indexOf(text); at !== -1; at = searched.indexOf(text, at + text.length)) {
        const column = columnOf(shown, at);
        found.push({ line, column, width: columnOf(shown, at + text.length) - column });
      }
    }
    return found;
  }

  /** All that is kept, as text. */
  text(): string {
    const lines = Array.from(
      { length: this.#buffer.length },
      (_, line) => this.#buffer.getLine(line)?.translateToString(true) ?? "",
    );
    return `${lines.join("\n").trimEnd()}\n`;
  }

  [Symbol.dispose](): void {
    this.#terminal.dispose();
  }

  #drawLine(at: number, { showCursor, found, current }: DrawOptions): CellLine {
    const drawn = new CellLine(this.#terminal.cols);
    const line = this.#buffer.getLine(at);
    if (line === undefined) return drawn;
    for (let column = 0; column < drawn.width; column += 1) this.#drawCell(drawn, line, column);
    for (const each of found) {
      if (each.line !== at) continue;
      const mark = each === current ? cellFlags.inverse | cellFlags.bold : cellFlags.inverse;
      for (let cell = each.column; cell < each.column + each.width; cell += 1) flip(drawn, cell, mark);
    }
    const { baseY, cursorY, cursorX } = this.#buffer;
    if (showCursor && !this.#isCursorHidden && at === baseY + cursorY) {
      flip(drawn, Math.min(cursorX, drawn.width - 1), cellFlags.inverse);
    }
    return drawn;
  }

  #drawCell(drawn: CellLine, line: IBufferLine, column: number): void {
    const cell = line.getCell(column, this.#cell);
    if (cell === undefined) return;
    const width = cell.getWidth();
    if (width === 0) {
      // Behind a wide character; alone, when that was cut off.
      if (drawn.glyphs[column - 1] !== undefined && column > 0 && line.getCell(column - 1)?.getWidth() === 2) {
        drawn.glyphs[column] = "";
        copyStyle(drawn, column - 1, column);
      }
      return;
    }
    const fits = column + width <= drawn.width;
    drawn.glyphs[column] = fits ? this.#glyphs.of(cell.getChars(), width) : "?";
    if (!cell.isFgDefault()) {
      drawn.foreground[column] = cell.isFgRGB() ? trueColour(cell.getFgColor()) : cell.getFgColor();
    } else drawn.foreground[column] = ownColour;
    if (!cell.isBgDefault()) {
      drawn.background[column] = cell.isBgRGB() ? trueColour(cell.getBgColor()) : cell.getBgColor();
    } else drawn.background[column] = ownColour;
    drawn.flags[column] = flagsOf(cell);
  }
}

function flagsOf(cell: IBufferCell): number {
  return (
    (cell.isBold() === 0 ? 0 : cellFlags.bold) |
    (cell.isDim() === 0 ? 0 : cellFlags.dim) |
    (cell.isItalic() === 0 ? 0 : cellFlags.italic) |
    (cell.isUnderline() === 0 ? 0 : cellFlags.underline) |
    (cell.isInverse() === 0 ? 0 : cellFlags.inverse) |
    (cell.isStrikethrough() === 0 ? 0 : cellFlags.strike) |
    (cell.isInvisible() === 0 ? 0 : cellFlags.hidden)
  );
}

function flip(drawn: CellLine, cell: number, flags: number): void {
  const before = drawn.flags[cell];
  if (before === undefined) return;
  drawn.flags[cell] = (before ^ (flags & cellFlags.inverse)) | (flags & ~cellFlags.inverse);
  if (drawn.glyphs[cell + 1] === "") drawn.flags[cell + 1] = drawn.flags[cell] ?? 0;
}

function copyStyle(drawn: CellLine, from: number, to: number): void {
  drawn.foreground[to] = drawn.foreground[from] ?? ownColour;
  drawn.background[to] = drawn.background[from] ?? ownColour;
  drawn.flags[to] = drawn.flags[from] ?? 0;
}

/** The column of a place in the text of a line: wide characters take two. */
function columnOf(line: IBufferLine | undefined, at: number): number {
  let [passed, column] = [0, 0];
  while (line !== undefined && column < line.length && passed < at) {
    const cell = line.getCell(column);
    passed += Math.max(1, cell?.getChars().length ?? 1);
    column += Math.max(1, cell?.getWidth() ?? 1);
  }
  return column;
}
