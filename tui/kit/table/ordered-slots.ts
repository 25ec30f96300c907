import { OrderedRows } from "../../../lib/list/ordered-rows.js";
import { compareDirected, compareKeys, type SortKey } from "./sort-key.js";

/** A row where it stands: what it is sorted by. It never changes: a row that is sorted otherwise has another entry. */
export interface Entry {
  /** The row's slot in its table. */
  readonly slot: number;
  readonly key: SortKey;
  /** Keys of the columns that rows with the same key are sorted by; undefined: there are none. */
  readonly more: readonly SortKey[] | undefined;
  /** Order of rows with the same key. */
  readonly tie: string;
}

export type EntryOrder = (left: Entry, right: Entry) => number;

/** The order of entries by their keys, each the one way or the other; of the same ones always by the tie. */
export function entryOrder(descending: boolean, more: readonly boolean[] = []): EntryOrder {
  return (left, right) => {
    const order = compareDirected(left.key, right.key, descending);
    if (order !== 0) return order;
    for (const [index, isDescending] of more.entries()) {
      const next = compareDirected(left.more?.[index] ?? "", right.more?.[index] ?? "", isDescending);
      if (next !== 0) return next;
    }
    return compareKeys(left.tie, right.tie) || left.slot - right.slot;
  };
}

interface BySlot {
  get(slot: number): Entry | undefined;
  set(slot: number, entry: Entry | undefined): void;
}

/** For most of the slots that there are. */
export class SlotArray implements BySlot {
  readonly #entries: (Entry | undefined)[] = [];

  get(slot: number): Entry | undefined {
    return this.#entries[slot];
  }

  set(slot: number, entry: Entry | undefined): void {
    while (this.#entries.length < slot) this.#entries.push(undefined);
    this.#entries[slot] = entry;
  }
}

/** For few of them. */
export class SlotMap implements BySlot {
  readonly #entries = new Map<number, Entry>();

  get(slot: number): Entry | undefined {
    return this.#entries.get(slot);
  }

  set(slot: number, entry: Entry | undefined): void {
    if (entry === undefined) this.#entries.delete(slot);
    else this.#entries.set(slot, entry);
  }
}

/** Entries in order, found by slot and by place. */
export class OrderedSlots {
  readonly #bySlot: BySlot;
  readonly #list: OrderedRows<Entry>;

  /** @param sorted in that order. @param bySlot empty. */
  constructor(order: EntryOrder, sorted: readonly Entry[], bySlot: BySlot) {
    this.#list = new OrderedRows(order, sorted);
    this.#bySlot = bySlot;
    for (const entry of sorted) bySlot.set(entry.slot, entry);
  }

  get length(): number {
    return this.#list.size;
  }

  of(slot: number): Entry | undefined {
    return this.#bySlot.get(slot);
  }

  /** Place of the entry of a slot; -1: it has none. */
  indexOf(slot: number): number {
    const entry = this.#bySlot.get(slot);
    return entry === undefined ? -1 : this.#list.rankOf(entry);
  }

  slice(from: number, to: number): readonly Entry[] {
    return this.#list.slice(from, to);
  }

  /** What stands for a slot from now on. */
  put(slot: number, after: Entry | undefined): void {
    const before = this.#bySlot.get(slot);
    if (before === after) return;
    if (before !== undefined) this.#list.delete(before);
    if (after !== undefined) this.#list.add(after);
    this.#bySlot.set(slot, after);
  }
}
