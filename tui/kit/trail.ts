import type { Screen } from "./screen.js";

/** Places kept to go back to. */
const mostPlaces = 50;

/** Where somebody has been: the open screens of each place, as a browser keeps its pages. */
export class Trail {
  #places: (readonly Screen[])[] = [];
  #at = -1;

  /** Somebody has come to a place; what was ahead is forgotten. Whoever comes back from a question has been nowhere. */
  visit(screens: readonly Screen[]): void {
    const been = this.#places.slice(0, this.#at + 1);
    while (been.at(-1)?.at(-1)?.isPassing === true) been.pop();
    if (!isSame(been.at(-1), screens)) been.push(screens);
    this.#places = been.slice(-mostPlaces);
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

function isSame(place: readonly Screen[] | undefined, screens: readonly Screen[]): boolean {
  return place?.length === screens.length && place.every((screen, index) => screen === screens[index]);
}

/** A screen that ends something when it is closed has to say how it is opened again; others go on as they are. A question is no place. */
function canReopen(screen: Screen): boolean {
  if (screen.isPassing === true) return false;
  return screen.again !== undefined || screen.closed === undefined;
}
