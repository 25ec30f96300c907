/** A page that can be scrolled: its first line on the screen, and how many lines the screen had when it was last drawn. */
export class Page {
  #top = 0;
  #height = 1;

  get top(): number {
    return this.#top;
  }

  /** Scrolls by lines; stops at both ends. */
  move(by: number): void {
    this.#top = Math.max(0, this.#top + by);
  }

  /** Scrolls by screens. */
  page(by: number): void {
    this.move(by * Math.max(1, this.#height - 1));
  }

  /** The lines that are on a screen of `height` lines. */
  window<T>(lines: readonly T[], height: number): readonly T[] {
    this.#height = height;
    this.#top = Math.max(0, Math.min(this.#top, lines.length - height));
    return lines.slice(this.#top, this.#top + height);
  }
}
