import type { Screen } from "./screen.js";

/** Places kept to go back to. */
const mostPlaces = 50;

/** Where somebody has been: the open screens of each place, as a browser keeps its pages. */
export class Trail {
  #places: (readonly Screen[])[] = [];
  #at = -1;

  /** Somebody has come to a place; what was ahead is forgotten. */
  visit(screens: readonly Screen[]): void {
    this.#places = [...this.#places.slice(0, this.#at + 1), screens].slice(-mostPlaces);
    this.#at = this.#places.length - 1;
  }

  /** Goes to the place before (-1) or ahead (1), past those whose screens cannot be opened again; undefined when there is none. */
  go(by: -1 | 1): readonly Screen[] | undefined {
    for (let at = this.#at + by; at >= 0 && at < this.#places.length; at += by) {
      const place = this.#places[at] ?? [];
      const top = place.at(-1);
      // Without its topmost screen it is another place.
      if (top === undefined || !canReopen(top)) continue;
      const screens = place.filter(canReopen).map((screen) => screen.again?.() ?? screen);
      this.#at = at;
      this.#places[at] = screens;
      return screens;
    }
    return undefined;
  }

  forget(): void {
    this.#places = [];
    this.#at = -1;
  }
}

/** A screen that ends something when it is closed has to say how it is opened again; others go on as they are. A question is no place. */
function canReopen(screen: Screen): boolean {
  if (screen.isPassing === true) return false;
  return screen.again !== undefined || screen.closed === undefined;
}
