import { firstPlace } from "../../../lib/first-place.js";
import type { Entry, EntryOrder } from "./ordered-slots.js";

/** More than any screen has lines. */
const most = 256;

/** The first entries in an order of all that were given so far: what there is to show while all are being put in order. */
export class FirstEntries {
  readonly #order: EntryOrder;
  readonly #passes: (slot: number) => boolean;
  readonly #first: Entry[] = [];
  #given = 0;

  /** @param passes which of them are shown; asked only of those that would be among the first. */
  constructor(order: EntryOrder, passes: (slot: number) => boolean) {
    this.#order = order;
    this.#passes = passes;
  }

  /** How many were given, those that do not pass too. */
  get given(): number {
    return this.#given;
  }

  get length(): number {
    return this.#first.length;
  }

  add(entry: Entry): void {
    this.#given += 1;
    const last = this.#first.at(-1);
    const isFull = this.#first.length >= most;
    if (isFull && last !== undefined && this.#order(last, entry) <= 0) return;
    if (!this.#passes(entry.slot)) return;
    this.#first.splice(this.#placeOf(entry), 0, entry);
    if (isFull) this.#first.pop();
  }

  slice(from: number, to: number): readonly Entry[] {
    return this.#first.slice(from, to);
  }

  indexOf(slot: number): number {
    return this.#first.findIndex((entry) => entry.slot === slot);
  }

  #placeOf(entry: Entry): number {
    return firstPlace(0, this.#first.length, (at) => {
      const other = this.#first[at];
      return other === undefined || this.#order(other, entry) > 0;
    });
  }
}
