import type { Tone } from "../states.js";
import type { Line, Segment } from "../text/segment.js";
import { cutText, graphemesOf } from "../text/text-width.js";
import type { Point, Rect } from "./rect.js";

/** How a text is put down. */
export interface Ink {
  readonly tone?: Tone | undefined;
  readonly inverse?: boolean | undefined;
}

/** A part of the map as it is being drawn: cells with a character, a tone, and whether they are inverted. */
export class Canvas {
  readonly view: Rect;
  readonly #characters: string[];
  readonly #tones: (Tone | undefined)[];
  readonly #inverse: Uint8Array;

  /** @param view the part of the map that it shows. */
  constructor(view: Rect) {
    this.view = view;
    const cells = view.width * view.height;
    this.#characters = Array.from({ length: cells }, () => " ");
    this.#tones = Array.from({ length: cells });
    this.#inverse = new Uint8Array(cells);
  }

  /** Writes a character that is one cell wide; what is beside the view is left out. */
  put(at: Point, character: string, { tone, inverse }: Ink = {}): void {
    const [x, y] = [at.x - this.view.x, at.y - this.view.y];
    if (x < 0 || y < 0 || x >= this.view.width || y >= this.view.height) return;
    const cell = y * this.view.width + x;
    this.#characters[cell] = character;
    this.#tones[cell] = tone;
    this.#inverse[cell] = inverse === true ? 1 : 0;
  }

  /** Writes a text into a line of a rectangle, cut to it. The text is safe for the terminal. */
  write(rect: Rect, text: string, ink: Ink = {}): void {
    let x = rect.x;
    for (const { text: character, width } of graphemesOf(cutText(text, rect.width))) {
      // Half of a wide character at the edge of the view is a space.
      const fits = x >= this.view.x && x + width <= this.view.x + this.view.width;
      this.put({ x, y: rect.y }, fits ? character : " ", ink);
      for (let more = 1; more < width; more += 1) this.put({ x: x + more, y: rect.y }, fits ? "" : " ", ink);
      x += width;
    }
    // A name that is pointed at is so to the end of its room.
    if (ink.inverse === true) for (; x < rect.x + rect.width; x += 1) this.put({ x, y: rect.y }, " ", ink);
  }

  lines(): readonly Line[] {
    return Array.from({ length: this.view.height }, (_, y) => this.#line(y * this.view.width));
  }

  #line(from: number): Line {
    const line: Segment[] = [];
    let begin = from;
    for (let cell = from + 1; cell <= from + this.view.width; cell += 1) {
      const isSame = this.#tones[cell] === this.#tones[begin] && this.#inverse[cell] === this.#inverse[begin];
      if (isSame && cell < from + this.view.width) continue;
      const [tone, inverse] = [this.#tones[begin], this.#inverse[begin] === 1];
      const text = this.#characters.slice(begin, cell).join("");
      line.push({ text, ...(tone === undefined ? {} : { tone }), ...(inverse ? { inverse } : {}) });
      begin = cell;
    }
    return line;
  }
}
