import type { Spoken, SpokenLine } from "../kit/spoken/spoken.js";

/** What a screen says, a page at a time. What was said keeps its number, wherever it stands meanwhile. */
export class Listing {
  readonly #spoken: Spoken;
  readonly #numbered: SpokenLine[] = [];
  readonly #said = new Set<string>();
  #at = 0;

  constructor(spoken: Spoken) {
    this.#spoken = spoken;
  }

  /** The next lines, those that can be chosen with their numbers. */
  next(count: number): readonly string[] {
    const lines = this.#spoken.lines(this.#at, count);
    this.#at += lines.length;
    return lines.flatMap((line) => {
      // What came up meanwhile from a page that was said is not said again.
      if (line.name !== undefined && this.#said.has(line.name)) return [];
      if (line.name !== undefined) this.#said.add(line.name);
      if (line.pick === undefined) return [line.text];
      this.#numbered.push(line);
      return [`${this.#numbered.length}. ${line.text}`];
    });
  }

  get length(): number {
    return this.#spoken.length;
  }

  /** Lines that were not said yet. */
  get left(): number {
    return Math.max(0, this.#spoken.length - this.#at);
  }

  /** The line of a number that was said; undefined: none was. */
  pick(number: number): SpokenLine | undefined {
    return this.#numbered[number - 1];
  }

  /** How many can be chosen so far. */
  get choices(): number {
    return this.#numbered.length;
  }

  /** Number that a row was said with; undefined: it was not. */
  numberOf(name: string): number | undefined {
    const index = this.#numbered.findIndex((line) => line.name === name);
    return index < 0 ? undefined : index + 1;
  }
}
