import { toPalette256 } from "../../kit/cells/colour-depth.js";
import { shadeOf } from "../../kit/cells/shade.js";
import type { Framebuffer, Rectangle } from "./framebuffer.js";

/** How colours are told to the terminal. */
export type Colours = "true" | "256" | "none";

/** Cells of the terminal that a picture may fill. */
export interface CellArea {
  readonly columns: number;
  readonly rows: number;
}

/** Draws a picture with two pixels in each cell, and of it only what differs from what stands there. */
export class HalfBlocks {
  readonly #area: CellArea;
  readonly #colours: Colours;
  /** What stands in each cell: upper and lower pixel; -1 when that is not known. */
  #cells = new Float64Array();
  #columns = 0;
  #rows = 0;
  #width = 0;
  #height = 0;

  constructor(area: CellArea, colours: Colours) {
    this.#area = area;
    this.#colours = colours;
  }

  /** What brings the terminal up to date, given the part of the picture that has changed since. */
  draw(screen: Framebuffer, changed: Rectangle): string {
    let part = changed;
    let out = "";
    if (screen.width !== this.#width || screen.height !== this.#height) {
      this.#fit(screen);
      part = { x: 0, y: 0, width: screen.width, height: screen.height };
      out = "\x1b[0m\x1b[2J";
    }
    const [across, down] = [screen.width / this.#columns, screen.height / (2 * this.#rows)];
    const first = { column: Math.floor(part.x / across), row: Math.floor(part.y / down / 2) };
    const last = {
      column: Math.min(this.#columns, Math.ceil((part.x + part.width) / across)),
      row: Math.min(this.#rows, Math.ceil((part.y + part.height) / down / 2)),
    };
    const mean = (column: number, line: number): number =>
      screen.mean(
        Math.floor(column * across),
        Math.floor(line * down),
        Math.floor((column + 1) * across),
        Math.floor((line + 1) * down),
      );
    let style = "";
    for (let row = first.row; row < last.row; row++) {
      let isNext = false;
      for (let column = first.column; column < last.column; column++) {
        const [upper, lower] = [mean(column, 2 * row), mean(column, 2 * row + 1)];
        const [at, cell] = [row * this.#columns + column, upper * 0x1000000 + lower];
        if (this.#cells[at] === cell) {
          isNext = false;
          continue;
        }
        this.#cells[at] = cell;
        if (!isNext) out += `\x1b[${row + 1};${column + 1}H`;
        isNext = true;
        const wanted = this.#style(upper, lower);
        if (wanted !== style) out += wanted;
        style = wanted;
        out += this.#colours === "none" ? shadeOf(upper, lower) : "▀";
      }
    }
    return style === "" ? out : `${out}\x1b[0m`;
  }

  /** As large as it fits; a cell is twice as high as it is wide. Never larger than it is. */
  #fit({ width, height }: Framebuffer): void {
    const scale = Math.min(1, this.#area.columns / width, (2 * this.#area.rows) / height);
    this.#columns = Math.max(1, Math.floor(width * scale));
    this.#rows = Math.max(1, Math.floor((height * scale) / 2));
    this.#width = width;
    this.#height = height;
    this.#cells = new Float64Array(this.#columns * this.#rows).fill(-1);
  }

  #style(upper: number, lower: number): string {
    switch (this.#colours) {
      case "none":
        return "";
      case "256":
        return `\x1b[38;5;${toPalette256(upper)};48;5;${toPalette256(lower)}m`;
      case "true":
        return `\x1b[38;2;${toParts(upper).join(";")};48;2;${toParts(lower).join(";")}m`;
    }
  }
}

/** What a terminal can show, by its environment. */
export function coloursOf(env: Readonly<Record<string, string | undefined>>): Colours {
  if ((env["NO_COLOR"] ?? "") !== "") return "none";
  return /^(truecolor|24bit)$/.test(env["COLORTERM"] ?? "") ? "true" : "256";
}

function toParts(colour: number): [number, number, number] {
  return [colour >> 16, (colour >> 8) & 0xff, colour & 0xff];
}
