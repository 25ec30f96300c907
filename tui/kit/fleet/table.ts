import type { Row } from "../row.js";

/** Changes remembered for readers that look now and then; one that fell further behind reads everything again. */
const changeLogLength = 8192;

/** What a reader has to look at again. */
export type Changes =
  | { readonly everything: true; readonly version: number }
  | {
      readonly everything: false;
      readonly version: number;
      readonly names: readonly string[];
      /** Of those names; what is removed left its slot, to which another may have come. */
      readonly slots: readonly number[];
    };

/** Something of which readers look at a row again. */
interface Change {
  readonly name: string;
  readonly slot: number;
}

interface Held {
  readonly row: Row;
  generation: number;
}

/**
 * All rows of one kind: found by name and by host, counted per host and state as they change. Nothing here ever walks all
 * rows for one change. A row has a slot, a number below {@link capacity}, for as long as it is there; later it is another's.
 */
export class Table {
  readonly #slots = new Map<string, number>();
  readonly #held: (Held | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #namesByHost = new Map<string, Set<string>>();
  readonly #counts = new Map<string, Map<number, number>>();
  readonly #stateOf: (row: Row) => number;
  readonly #limit: number;
  #changed: Change[] = [];
  #version = 0;
  #generation = 0;

  /** `stateOf` is the number rows are counted by; beyond `limit` rows the oldest are forgotten. */
  constructor(stateOf: (row: Row) => number, limit = Number.POSITIVE_INFINITY) {
    this.#stateOf = stateOf;
    this.#limit = limit;
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** No slot is as large. */
  get capacity(): number {
    return this.#held.length;
  }

  find(name: string): Row | undefined {
    return this.at(this.slotOf(name));
  }

  /** Slot of a row; -1: there is none of that name. */
  slotOf(name: string): number {
    return this.#slots.get(name) ?? -1;
  }

  /** The row in a slot; undefined: there is none. */
  at(slot: number): Row | undefined {
    return this.#held[slot]?.row;
  }

  /** Slots of all rows, in the order in which they came. */
  slots(): IterableIterator<number> {
    return this.#slots.values();
  }

  *rows(): IterableIterator<Row> {
    for (const slot of this.#slots.values()) {
      const row = this.at(slot);
      if (row !== undefined) yield row;
    }
  }

  /** Ids of the hosts that there are rows on; "" for the hub. */
  get hosts(): Iterable<string> {
    return this.#namesByHost.keys();
  }

  /** Names of the rows on a host. */
  namesOn(host: string): ReadonlySet<string> {
    return this.#namesByHost.get(host) ?? new Set();
  }

  /** Number of rows by host and state. */
  get counts(): ReadonlyMap<string, ReadonlyMap<number, number>> {
    return this.#counts;
  }

  put(row: Row): void {
    const known = this.#slots.get(row.name);
    const slot = known ?? this.#free.pop() ?? this.#held.length;
    const before = this.#held[slot];
    if (before !== undefined) this.#count(before.row, -1);
    this.#held[slot] = { row, generation: this.#generation };
    this.#slots.set(row.name, slot);
    this.#count(row, 1);
    let names = this.#namesByHost.get(row.host);
    if (names === undefined) {
      names = new Set();
      this.#namesByHost.set(row.host, names);
    }
    names.add(row.name);
    this.#note(row.name, slot);
    if (this.size > this.#limit) this.#forgetOldest();
  }

  remove(name: string): boolean {
    const slot = this.slotOf(name);
    const held = this.#held[slot];
    if (held === undefined) return false;
    this.#held[slot] = undefined;
    this.#slots.delete(name);
    this.#free.push(slot);
    this.#count(held.row, -1);
    const names = this.#namesByHost.get(held.row.host);
    names?.delete(name);
    if (names?.size === 0) this.#namesByHost.delete(held.row.host);
    this.#note(name, slot);
    return true;
  }

  /** Tells readers that rows look different although they did not change themselves. */
  touch(names: Iterable<string>): void {
    for (const name of names) this.#note(name, this.slotOf(name));
  }

  /** A snapshot begins: what it does not repeat goes away in {@link endSnapshot}, and stays visible until then. */
  beginSnapshot(): void {
    this.#generation += 1;
  }

  /** Removes what the snapshot did not hold; returns the names. */
  endSnapshot(): readonly string[] {
    const gone: string[] = [];
    for (const [name, slot] of this.#slots) if (this.#held[slot]?.generation !== this.#generation) gone.push(name);
    for (const name of gone) this.remove(name);
    return gone;
  }

  /** What changed after the version a reader last saw. */
  changesSince(version: number): Changes {
    const behind = this.#version - version;
    if (behind > this.#changed.length) return { everything: true, version: this.#version };
    const changed = behind === 0 ? [] : this.#changed.slice(-behind);
    const names = [...new Set(changed.map(({ name }) => name))];
    const slots = [...new Set(changed.map(({ slot }) => slot))];
    return { everything: false, version: this.#version, names, slots };
  }

  #note(name: string, slot: number): void {
    this.#version += 1;
    this.#changed.push({ name, slot });
    if (this.#changed.length > changeLogLength * 2) this.#changed = this.#changed.slice(-changeLogLength);
  }

  #count(row: Row, by: number): void {
    let states = this.#counts.get(row.host);
    if (states === undefined) {
      states = new Map();
      this.#counts.set(row.host, states);
    }
    const state = this.#stateOf(row);
    const count = (states.get(state) ?? 0) + by;
    if (count === 0) states.delete(state);
    else states.set(state, count);
    if (states.size === 0) this.#counts.delete(row.host);
  }

  #forgetOldest(): void {
    const oldest = this.#slots.keys().next();
    if (oldest.done !== true) this.remove(oldest.value);
  }
}
