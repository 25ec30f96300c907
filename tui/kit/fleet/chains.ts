import { grown } from "./name-index.js";

const none = -1;

/** Slots in order, each in one of several chains: added at the end, taken out anywhere, in constant time and eight bytes. */
export class Chains {
  #next = new Int32Array();
  #previous = new Int32Array();
  readonly #first: number[] = [];
  readonly #last: number[] = [];
  readonly #lengths: number[] = [];

  /** Adds a slot that is in no chain. */
  add(chain: number, slot: number): void {
    if (slot >= this.#next.length) {
      this.#next = grown(this.#next, slot + 1);
      this.#previous = grown(this.#previous, slot + 1);
    }
    const last = this.#last[chain] ?? none;
    this.#next[slot] = none;
    this.#previous[slot] = last;
    if (last === none) this.#first[chain] = slot;
    else this.#next[last] = slot;
    this.#last[chain] = slot;
    this.#lengths[chain] = this.lengthOf(chain) + 1;
  }

  /** Takes out a slot that is in that chain. */
  delete(chain: number, slot: number): void {
    const [next = none, previous = none] = [this.#next[slot], this.#previous[slot]];
    if (previous === none) this.#first[chain] = next;
    else this.#next[previous] = next;
    if (next === none) this.#last[chain] = previous;
    else this.#previous[next] = previous;
    this.#lengths[chain] = this.lengthOf(chain) - 1;
  }

  get keptBytes(): number {
    return this.#next.byteLength + this.#previous.byteLength;
  }

  lengthOf(chain: number): number {
    return this.#lengths[chain] ?? 0;
  }

  /** The slot that has been there longest; undefined: there is none. */
  firstOf(chain: number): number | undefined {
    const first = this.#first[chain] ?? none;
    return first === none ? undefined : first;
  }

  /** The slots of a chain, those added first first. What was given last may be taken out before the next is asked for. */
  *of(chain: number): IterableIterator<number> {
    let slot = this.#first[chain] ?? none;
    while (slot !== none) {
      const next = this.#next[slot] ?? none;
      yield slot;
      slot = next;
    }
  }
}
