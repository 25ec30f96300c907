import type { BodyLine } from "./screen.js";

/** A line of a page that the cursor may be on. */
export interface PickLine extends BodyLine {
  /** Unique among the lines; undefined: the cursor passes it. */
  readonly key?: string;
}

/** What of a page is on the screen. */
export interface PickWindow {
  readonly lines: readonly BodyLine[];
  readonly extent: { readonly top: number; readonly shown: number; readonly length: number };
}

/** A page with a cursor, which stays on what it is on while lines come and go. */
export class PickPage {
  readonly #linesNow: () => readonly PickLine[];
  #key: string | undefined;
  /** Key of a line that the cursor goes to when it comes. */
  #coming: string | undefined;
  #index = 0;
  #top = 0;
  #height = 1;

  /** @param linesNow all lines, as they are now. */
  constructor(linesNow: () => readonly PickLine[]) {
    this.#linesNow = linesNow;
  }

  /** Key of the line that the cursor is on; undefined where no line has one. */
  get picked(): string | undefined {
    const lines = this.#linesNow();
    return lines[this.#settle(lines)]?.key;
  }

  /** Puts the cursor on a line, if it is there. */
  pick(key: string): void {
    this.#key = key;
  }

  /** Puts the cursor on a line as soon as it is there, unless it was moved before. */
  expect(key: string): void {
    this.#coming = key;
  }

  /** Moves the cursor over so many lines; stops at both ends. */
  move(by: number): void {
    this.#coming = undefined;
    const lines = this.#linesNow();
    const places = lines.flatMap(({ key }, index) => (key === undefined ? [] : [index]));
    const at = places.indexOf(this.#settle(lines));
    const to = places[Math.max(0, Math.min(places.length - 1, at + by))];
    if (to === undefined) return;
    this.#index = to;
    this.#key = lines[to]?.key;
  }

  /** Moves the cursor by screens. */
  page(by: number): void {
    this.move(by * Math.max(1, this.#height - 1));
  }

  /** The lines on a screen of `height` lines, with the cursor among them. */
  window(height: number): PickWindow {
    const lines = this.#linesNow();
    const at = this.#settle(lines);
    this.#height = height;
    // What stands above the first line that the cursor can be on is seen with it.
    const isFirst = !lines.slice(0, Math.max(0, at)).some(({ key }) => key !== undefined);
    const wanted = at < 0 || isFirst ? 0 : at;
    const lowest = Math.max(0, lines.length - height);
    this.#top = Math.min(lowest, Math.max(Math.min(this.#top, wanted), at - height + 1, 0));
    const shown = lines.slice(this.#top, this.#top + height).map(
      ({ line, faded }, index): BodyLine => ({
        line,
        ...(faded === undefined ? {} : { faded }),
        ...(this.#top + index === at ? { selected: true } : {}),
      }),
    );
    return { lines: shown, extent: { top: this.#top, shown: shown.length, length: lines.length } };
  }

  /** The cursor stays on its line wherever that goes; when that is gone, it stays at its place. */
  #settle(lines: readonly PickLine[]): number {
    if (this.#coming !== undefined && lines.some(({ key }) => key === this.#coming)) {
      this.#key = this.#coming;
      this.#coming = undefined;
    }
    const found = this.#key === undefined ? -1 : lines.findIndex(({ key }) => key === this.#key);
    if (found >= 0) {
      this.#index = found;
      return found;
    }
    const after = lines.findIndex(({ key }, index) => key !== undefined && index >= this.#index);
    const at = after >= 0 ? after : lines.findLastIndex(({ key }) => key !== undefined);
    this.#index = Math.max(0, at);
    this.#key = lines[at]?.key;
    return at;
  }
}
