import { textWidth } from "../text/text-width.js";

/** How a cell is drawn, besides its colours. */
export const cellFlags = {
  bold: 1,
  dim: 2,
  italic: 4,
  underline: 8,
  inverse: 16,
  strike: 32,
  hidden: 64,
} as const;

/** Of a colour: the terminal's own. 0 to 255: of its palette. Else {@link trueColour}. */
export const ownColour = -1;
const trueBit = 0x1000000;

/** A colour as 0xRRGGBB. */
export function trueColour(rgb: number): number {
  return trueBit | rgb;
}

/** The 0xRRGGBB of a colour; undefined: it is one of the palette, or the terminal's own. */
export function rgbOf(colour: number): number | undefined {
  return colour >= trueBit ? colour & 0xffffff : undefined;
}

/** A line of the screen with colours of its own: what another program, or a picture, has drawn. */
export class CellLine {
  /** What stands in each cell, one cell wide and harmless; "" behind a character that takes two. */
  readonly glyphs: string[];
  readonly foreground: Int32Array;
  readonly background: Int32Array;
  readonly flags: Uint8Array;

  /** A blank line of so many cells. */
  constructor(width: number) {
    this.glyphs = Array.from({ length: width }, () => " ");
    this.foreground = new Int32Array(width).fill(ownColour);
    this.background = new Int32Array(width).fill(ownColour);
    this.flags = new Uint8Array(width);
  }

  get width(): number {
    return this.glyphs.length;
  }

  /** Writes plain text from a cell on, in one style; what does not fit is left out. */
  write(at: number, text: string, flags = 0): void {
    let cell = at;
    for (const character of text) {
      const width = textWidth(character);
      if (width === 0) continue;
      if (cell + width > this.width) return;
      this.glyphs[cell] = character;
      this.flags[cell] = flags;
      if (width === 2) {
        this.glyphs[cell + 1] = "";
        this.flags[cell + 1] = flags;
      }
      cell += width;
    }
  }

  /** Puts another line into this one, from a cell on. */
  insert(at: number, other: CellLine): void {
    for (let cell = 0; cell < other.width && at + cell < this.width; cell += 1) {
      this.glyphs[at + cell] = other.glyphs[cell] ?? " ";
      this.foreground[at + cell] = other.foreground[cell] ?? ownColour;
      this.background[at + cell] = other.background[cell] ?? ownColour;
      this.flags[at + cell] = other.flags[cell] ?? 0;
    }
  }

  /** The same without colours. */
  text(): string {
    return this.glyphs.join("");
  }

  /** Whether a cell looks as that of another line. */
  isSame(cell: number, other: CellLine): boolean {
    return (
      this.glyphs[cell] === other.glyphs[cell] &&
      this.foreground[cell] === other.foreground[cell] &&
      this.background[cell] === other.background[cell] &&
      this.flags[cell] === other.flags[cell]
    );
  }
}
