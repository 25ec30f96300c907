import { CellLine, cellFlags, ownColour, rgbOf } from "../kit/cells/cell-line.js";
import { CellStyles, type ColourDepth } from "../kit/cells/colour-depth.js";
import { upperHalf } from "../kit/cells/picture-cells.js";
import { shadeOf } from "../kit/cells/shade.js";
import { toAscii } from "../kit/text/ascii.js";

/** Columns and rows of a terminal. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What a canvas draws on. */
export interface CanvasOutput {
  write(data: string): boolean;
  /** It has taken more than it could pass on. */
  readonly isFull: boolean;
  readonly size: TerminalSize;
}

/** Lets nothing run over the end of a line: a terminal that has become narrower must not scroll. */
const begin = "\x1b[?7l";
const end = "\x1b[0m\x1b[?7h";
const clear = "\x1b[H\x1b[0m\x1b[J";
/** Modes of the terminal only: nothing is drawn. */
const onlyModes = /^(?:\x1b\[\?\d+[hl]|\x1b\[[<>=]?\d*u)*$/;
/** So many blanks up to the end of a line are erased rather than written. */
const worthErasing = 8;
/** Going past so few cells that stay as they are costs no more than writing them again. */
const worthSkipping = 6;
const seenOnBlanks = cellFlags.inverse | cellFlags.underline | cellFlags.strike;

/**
 * Draws the screen, line by line, straight to the terminal, beside Ink: that goes through every cell of the screen anew for each frame. Of a
 * line that is another one only the cells that differ are written. Ink has an empty frame; whatever it writes destroys what stands
 * there, and all is drawn again behind it.
 */
export class Canvas {
  readonly #output: CanvasOutput;
  readonly #styles: CellStyles;
  readonly #isAscii: boolean;
  #wanted: readonly CellLine[] = [];
  #size: TerminalSize = { columns: 0, rows: 0 };
  /** What stands in the terminal, by row; undefined: that is not known. */
  #standing: (CellLine | undefined)[] = [];
  /** Nothing of what is in the terminal is what was drawn. */
  #isForeign = true;
  /** Somebody else has the terminal. */
  #isAway = false;

  constructor(output: CanvasOutput, { depth, ascii }: { readonly depth: ColourDepth; readonly ascii: boolean }) {
    this.#output = output;
    this.#styles = new CellStyles(depth);
    this.#isAscii = ascii;
  }

  /** From the next drawing on these lines are shown, in a terminal of that size. */
  want(lines: readonly CellLine[], size: TerminalSize): void {
    this.#wanted = lines;
    if (!isSameSize(size, this.#size)) this.#isForeign = true;
    this.#size = size;
  }

  /** Draws what is not there yet, unless the terminal has to catch up first: then this is called again when it has. */
  refresh(): void {
    if (this.#output.isFull) return;
    const drawn = this.#draw();
    if (drawn !== "") this.#output.write(drawn);
  }

  /** What Ink writes: what it has destroyed is drawn behind it. */
  through(written: string): string {
    if (onlyModes.test(written)) return written;
    this.#isForeign = true;
    return this.#output.isFull ? written : written + this.#draw();
  }

  /** Somebody else has the terminal: nothing is drawn until {@link back}. */
  away(): void {
    this.#isAway = true;
  }

  /** The terminal is this program's again, whatever stands there. */
  back(): void {
    this.#isAway = false;
    this.#isForeign = true;
    this.refresh();
  }

  #draw(): string {
    // What was made for another size is not there for this one: it is about to be made anew.
    if (this.#isAway || this.#wanted.length === 0 || !isSameSize(this.#output.size, this.#size)) return "";
    const isForeign = this.#isForeign;
    if (isForeign) this.#standing = [];
    this.#isForeign = false;
    let out = isForeign ? clear : "";
    for (const [row, line] of this.#wanted.entries()) {
      const before = this.#standing[row];
      if (before === line) continue;
      out += this.#drawLine(row, line, before);
      this.#standing[row] = line;
    }
    return out === "" ? "" : `${begin}${out}${end}`;
  }

  /** What differs of a line. What nothing is known of is blank. */
  #drawLine(row: number, line: CellLine, before: CellLine | undefined): string {
    const known = before?.width === line.width ? before : new CellLine(line.width);
    const differs = (cell: number): boolean =>
      !looksSame(line, known, cell) || (line.glyphs[cell + 1] === "" && !looksSame(line, known, cell + 1));
    const blankFrom = blankEndOf(line);
    let out = "";
    let style = "";
    /** Blanks in the style that was asked for last look like any. */
    let isUnseen = false;
    /** Where the cursor is; -1: elsewhere. */
    let at = -1;
    for (let cell = 0; cell < line.width; cell += 1) {
      if (line.glyphs[cell] === "") continue;
      if (!differs(cell) && !(at === cell && isNear(cell, line.width, differs))) continue;
      if (at !== cell) out += `\x1b[${row + 1};${cell + 1}H`;
      if (cell >= blankFrom && line.width - cell >= worthErasing) return `${out}${isUnseen ? "" : "\x1b[0m"}\x1b[K`;
      if (!isUnseen || !isBlank(line, cell)) {
        const wanted = this.#styles.of(line.foreground[cell] ?? 0, line.background[cell] ?? 0, line.flags[cell] ?? 0);
        if (wanted !== style) out += `\x1b[${wanted}m`;
        style = wanted;
        isUnseen = hidesBlanks(line, cell);
      }
      out += this.#glyph(line, cell);
      at = cell + (line.glyphs[cell + 1] === "" ? 2 : 1);
    }
    return out;
  }

  /** Two pixels in one cell are a shade where they cannot have their colours, or no half can be drawn. */
  #glyph(line: CellLine, cell: number): string {
    const glyph = line.glyphs[cell] ?? " ";
    if (glyph === upperHalf && (this.#isAscii || !this.#styles.hasColours)) {
      const [upper, lower] = [rgbOf(line.foreground[cell] ?? 0), rgbOf(line.background[cell] ?? 0)];
      if (upper !== undefined && lower !== undefined) return shadeOf(upper, lower);
    }
    return this.#isAscii ? toAscii(glyph) : glyph;
  }
}

/** Whether something differs so soon behind a cell that going there costs more than writing what is between. */
function isNear(cell: number, width: number, differs: (cell: number) => boolean): boolean {
  for (let next = cell + 1; next < Math.min(width, cell + worthSkipping); next += 1) if (differs(next)) return true;
  return false;
}

/** The cell from which on a line is blank. */
function blankEndOf(line: CellLine): number {
  let from = line.width;
  while (from > 0 && isBlank(line, from - 1)) from -= 1;
  return from;
}

/** A blank that looks like any other blank, whatever its style. */
function isBlank(line: CellLine, cell: number): boolean {
  return line.glyphs[cell] === " " && hidesBlanks(line, cell);
}

function hidesBlanks({ flags, background }: CellLine, cell: number): boolean {
  return background[cell] === ownColour && ((flags[cell] ?? 0) & seenOnBlanks) === 0;
}

function looksSame(line: CellLine, other: CellLine, cell: number): boolean {
  return line.isSame(cell, other) || (isBlank(line, cell) && isBlank(other, cell));
}

function isSameSize(one: TerminalSize, other: TerminalSize): boolean {
  return one.columns === other.columns && one.rows === other.rows;
}
