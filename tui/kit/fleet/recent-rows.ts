import type { KeptRow } from "./kept-row.js";

/** So many rows are remembered at least, of those that were asked for last; at most twice as many. */
const length = 256;

/** Rows that were asked for a short time ago, by slot: what is on the screen is asked for again and again, and decoded once. */
export class RecentRows {
  #new = new Map<number, KeptRow>();
  #old = new Map<number, KeptRow>();

  get(slot: number): KeptRow | undefined {
    const known = this.#new.get(slot);
    if (known !== undefined) return known;
    const old = this.#old.get(slot);
    if (old !== undefined) this.set(slot, old);
    return old;
  }

  set(slot: number, row: KeptRow): void {
    if (this.#new.size >= length) {
      this.#old = this.#new;
      this.#new = new Map();
    }
    this.#new.set(slot, row);
  }

  delete(slot: number): void {
    this.#new.delete(slot);
    this.#old.delete(slot);
  }
}
