import { firstPlace } from "../first-place.js";

/** A block is split when it has more, and removed when it is empty. */
const mostOfBlock = 512;

/**
 * Things in order, read by place. Putting one in or taking one out compares log n times and moves no more than one block: nothing is ever
 * sorted again.
 */
export class OrderedRows<T> {
  readonly #compare: (left: T, right: T) => number;
  readonly #blocks: T[][] = [];
  #size = 0;

  /** @param compare never 0 for two that are different. @param sorted in that order. */
  constructor(compare: (left: T, right: T) => number, sorted: readonly T[]) {
    this.#compare = compare;
    // Half full, so that what comes next splits none.
    const step = mostOfBlock / 2;
    for (let at = 0; at < sorted.length; at += step) this.#blocks.push(sorted.slice(at, at + step));
    this.#size = sorted.length;
  }

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    const at = this.#blockOf(item);
    const block = this.#blocks[at];
    this.#size += 1;
    if (block === undefined) {
      this.#blocks.push([item]);
      return;
    }
    block.splice(this.#lowerBound(block, item), 0, item);
    if (block.length > mostOfBlock) this.#blocks.splice(at + 1, 0, block.splice(mostOfBlock / 2));
  }

  /** False: it is not there. */
  delete(item: T): boolean {
    const at = this.#blockOf(item);
    const block = this.#blocks[at];
    if (block === undefined) return false;
    const index = this.#lowerBound(block, item);
    const found = block[index];
    if (found === undefined || this.#compare(found, item) !== 0) return false;
    block.splice(index, 1);
    if (block.length === 0) this.#blocks.splice(at, 1);
    this.#size -= 1;
    return true;
  }

  /** How many stand before it. */
  rankOf(item: T): number {
    const at = this.#blockOf(item);
    let before = 0;
    for (let each = 0; each < at; each += 1) before += this.#blocks[each]?.length ?? 0;
    const block = this.#blocks[at];
    return block === undefined ? before : before + this.#lowerBound(block, item);
  }

  slice(from: number, to: number): T[] {
    const found: T[] = [];
    let first = 0;
    for (const block of this.#blocks) {
      if (first >= to) break;
      const next = first + block.length;
      if (next > from) found.push(...block.slice(Math.max(0, from - first), to - first));
      first = next;
    }
    return found;
  }

  *all(): IterableIterator<T> {
    for (const block of this.#blocks) yield* block;
  }

  /** Index of the last block that does not begin after it. */
  #blockOf(item: T): number {
    const behind = firstPlace(0, this.#blocks.length, (at) => {
      const first = this.#blocks[at]?.[0];
      return first === undefined || this.#compare(first, item) > 0;
    });
    return Math.max(0, behind - 1);
  }

  #lowerBound(block: readonly T[], item: T): number {
    return firstPlace(0, block.length, (at) => {
      const each = block[at];
      return each === undefined || this.#compare(each, item) >= 0;
    });
  }
}
