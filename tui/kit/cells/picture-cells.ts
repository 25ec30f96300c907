import { CellLine, trueColour } from "./cell-line.js";

/** Two pixels in one cell: the upper one in the colour of the character, the lower one in that behind it. */
export const upperHalf = "▀";

/** A picture, or a part of one, in pixels. */
export interface PictureArea {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A picture. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** The mean colour, 0xRRGGBB, of the pixels from (left, top) up to and without (right, bottom), at least of one; within the picture. */
  mean(left: number, top: number, right: number, bottom: number): number;
}

/** A picture in lines of cells, two pixels in each, as large as it fits: a line stays the same one as long as it looks the same. */
export class PictureCells {
  #lines: CellLine[] = [];
  #columns = 0;
  #key = "";

  /** Brings the lines up to date, given the part of the picture that has changed since; undefined: nothing has. */
  draw(picture: Picture, changed: PictureArea | undefined, room: { readonly columns: number; readonly rows: number }) {
    const key = `${picture.width}x${picture.height} in ${room.columns}x${room.rows}`;
    const isNew = key !== this.#key;
    if (isNew) this.#fit(picture, room);
    this.#key = key;
    const area = isNew ? { x: 0, y: 0, width: picture.width, height: picture.height } : changed;
    if (area !== undefined) this.#drawArea(picture, area);
    return this.#lines;
  }

  #fit({ width, height }: Picture, room: { readonly columns: number; readonly rows: number }): void {
    // A cell is twice as high as it is wide; nothing is made larger than it is.
    const scale = Math.min(1, room.columns / width, (2 * room.rows) / height);
    this.#columns = Math.max(1, Math.floor(width * scale));
    const rows = Math.max(1, Math.floor((height * scale) / 2));
    this.#lines = Array.from({ length: rows }, () => new CellLine(this.#columns));
  }

  #drawArea(picture: Picture, { x, y, width, height }: PictureArea): void {
    const [across, down] = [picture.width / this.#columns, picture.height / (2 * this.#lines.length)];
    const lastRow = Math.min(this.#lines.length, Math.ceil((y + height) / down / 2));
    const lastColumn = Math.min(this.#columns, Math.ceil((x + width) / across));
    const mean = (column: number, half: number): number =>
      picture.mean(
        Math.floor(column * across),
        Math.floor(half * down),
        Math.floor((column + 1) * across),
        Math.floor((half + 1) * down),
      );
    for (let row = Math.floor(y / down / 2); row < lastRow; row += 1) {
      const before = this.#lines[row];
      if (before === undefined) continue;
      const line = new CellLine(this.#columns);
      line.insert(0, before);
      let isSame = true;
      for (let column = Math.floor(x / across); column < lastColumn; column += 1) {
        line.glyphs[column] = upperHalf;
        line.foreground[column] = trueColour(mean(column, 2 * row));
        line.background[column] = trueColour(mean(column, 2 * row + 1));
        isSame &&= line.isSame(column, before);
      }
      if (!isSame) this.#lines[row] = line;
    }
  }
}
