import { type CellLine, rgbOf } from "../kit/cells/cell-line.js";
import { CellStyles, type ColourDepth } from "../kit/cells/colour-depth.js";
import { upperHalf } from "../kit/cells/picture-cells.js";
import { shadeOf } from "../kit/cells/shade.js";
import { toAscii } from "../kit/text/ascii.js";

/** What a canvas draws on. */
export interface CanvasOutput {
  write(data: string): boolean;
  /** It has taken more than it could pass on. */
  readonly isFull: boolean;
  /** Its size, as {@link Canvas.want} is told it. */
  readonly size: string;
}

/** Lines of cells by their rows, from 0. */
export type CellRows = ReadonlyMap<number, CellLine>;

/**
 * What Ink is given for a line that is the canvas's. It never reaches the terminal; it only has to be unlike anything else a line is made of, so
 * that Ink writes over what the canvas has drawn when another line comes to stand there. That must not hang on colours: Ink has none with NO_COLOR.
 */
export const canvasMark = "\ue0a0";

/** Keeps the cursor's place, and lets nothing run over the end of a line: a terminal that has become narrower must not scroll. */
const begin = "\x1b7\x1b[?7l";
const end = "\x1b[0m\x1b[?7h\x1b8";
/** What Ink begins to change a frame with: it erases what there are too many lines of, and goes up to the first. All else is whole frames. */
const changeStart = /^(?:\x1b\[\?25l)?(?:(?:\x1b\[2K(?:\x1b\[1A)?)*\x1b\[G)?\x1b\[\d+A/;
const rowEnd = /\n|\x1b\[E/;
/** What moves to another line, or erases. */
const drawing = /\n|\x1b\[\d*[A-HJKd]/;

/**
 * Draws lines of cells straight to the terminal, beside Ink: that goes through every cell of the screen anew for each frame, which takes a
 * second where each has colours of its own. Ink leaves those lines to it ({@link canvasMark}), and whatever Ink writes is looked at: a line is
 * drawn once Ink has written its mark there, which is when Ink knows that it is to be written over later, and again whenever Ink wrote
 * there. Ink writes a frame later than it is asked to, or never, when the next one comes first. Frames begin at the terminal's first row.
 */
export class Canvas {
  readonly #output: CanvasOutput;
  readonly #styles: CellStyles;
  readonly #isAscii: boolean;
  #wanted: CellRows = new Map();
  #size = "";
  /** What stands in the terminal, as far as that is known. */
  readonly #standing = new Map<number, CellLine>();
  /** Rows that Ink has left to the canvas in what it wrote last. */
  readonly #left = new Set<number>();

  constructor(output: CanvasOutput, { depth, ascii }: { readonly depth: ColourDepth; readonly ascii: boolean }) {
    this.#output = output;
    this.#styles = new CellStyles(depth);
    this.#isAscii = ascii;
  }

  /**
   * From the next drawing on these lines are shown and no others, in a terminal of that size. Those of before are Ink's again, which draws
   * over them: it must be told before Ink draws.
   */
  want(rows: CellRows, size: string): void {
    this.#wanted = rows;
    if (size !== this.#size) this.#standing.clear();
    this.#size = size;
    for (const row of this.#standing.keys()) if (!rows.has(row)) this.#standing.delete(row);
  }

  /** Draws what is not there yet, unless the terminal has to catch up first: then this is called again when it has. */
  refresh(): void {
    if (this.#wanted.size === 0 || this.#output.isFull) return;
    const drawn = this.#draw();
    if (drawn !== "") this.#output.write(drawn);
  }

  /** What Ink writes: what it has destroyed, or leaves to the canvas from now on, is drawn behind it. */
  through(written: string): string {
    if (!drawing.test(written)) return written;
    this.#look(written);
    const shown = written.replaceAll(canvasMark, " ");
    return this.#output.isFull ? shown : shown + this.#draw();
  }

  #look(written: string): void {
    const isWhole = !changeStart.test(written);
    if (isWhole) {
      this.#standing.clear();
      this.#left.clear();
    }
    written
      .replace(changeStart, "")
      .split(rowEnd)
      .forEach((part, row) => {
        if (part === "") return;
        this.#standing.delete(row);
        if (part.includes(canvasMark)) this.#left.add(row);
        else this.#left.delete(row);
      });
  }

  #draw(): string {
    // What was made for another size is not there for this one: it is about to be made anew.
    if (this.#output.size !== this.#size) return "";
    let out = "";
    for (const [row, line] of this.#wanted) {
      const before = this.#standing.get(row);
      if (before === line || !this.#left.has(row)) continue;
      out += this.#drawLine(row, line, before);
      this.#standing.set(row, line);
    }
    return out === "" ? "" : `${begin}${out}${end}`;
  }

  /** What differs of a line, from where it differs to where it does not for a while. */
  #drawLine(row: number, line: CellLine, before: CellLine | undefined): string {
    const known = before?.width === line.width ? before : undefined;
    let out = "";
    let style = "";
    /** Where the cursor is; -1: elsewhere. */
    let at = -1;
    for (let cell = 0; cell < line.width; cell += 1) {
      if (line.glyphs[cell] === "") continue;
      const width = line.glyphs[cell + 1] === "" ? 2 : 1;
      if (known !== undefined && line.isSame(cell, known) && (width === 1 || line.isSame(cell + 1, known))) continue;
      if (at !== cell) out += `\x1b[${row + 1};${cell + 1}H`;
      const wanted = this.#styles.of(line.foreground[cell] ?? 0, line.background[cell] ?? 0, line.flags[cell] ?? 0);
      if (wanted !== style) out += `\x1b[${wanted}m`;
      style = wanted;
      out += this.#glyph(line, cell);
      at = cell + width;
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
