import type { Row } from "../row.js";

/** Changes remembered for readers that look now and then; one that fell further behind reads everything again. */
const changeLogLength = 8192;

/** What a reader has to look at again. */
export type Changes =
  | { readonly everything: true; readonly version: number }
  | { readonly everything: false; readonly version: number; readonly names: readonly string[] };

interface Held {
  readonly row: Row;
  generation: number;
}

/**
 * All rows of one kind: found by name and by host, counted per host and state as they change. Nothing here ever walks all
 * rows for one change.
 */
export class Table {
  readonly #held = new Map<string, Held>();
  readonly #namesByHost = new Map<string, Set<string>>();
  readonly #counts = new Map<string, Map<number, number>>();
  readonly #stateOf: (row: Row) => number;
  readonly #limit: number;
  #changed: string[] = [];
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
    return this.#held.size;
  }

  find(name: string): Row | undefined {
    return this.#held.get(name)?.row;
  }

  *rows(): IterableIterator<Row> {
    for (const held of this.#held.values()) yield held.row;
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
    const before = this.#held.get(row.name);
    if (before !== undefined) this.#count(before.row, -1);
    this.#held.set(row.name, { row, generation: this.#generation });
    this.#count(row, 1);
    let names = this.#namesByHost.get(row.host);
    if (names === undefined) {
      names = new Set();
      this.#namesByHost.set(row.host, names);
    }
    names.add(row.name);
    this.#note(row.name);
    if (this.#held.size > this.#limit) this.#forgetOldest();
  }

  remove(name: string): boolean {
    const held = this.#held.get(name);
    if (held === undefined) return false;
    this.#held.delete(name);
    this.#count(held.row, -1);
    const names = this.#namesByHost.get(held.row.host);
    names?.delete(name);
    if (names?.size === 0) this.#namesByHost.delete(held.row.host);
    this.#note(name);
    return true;
  }

  /** Tells readers that rows look different although they did not change themselves. */
  touch(names: Iterable<string>): void {
    for (const name of names) this.#note(name);
  }

  /** A snapshot begins: what it does not repeat goes away in {@link endSnapshot}, and stays visible until then. */
  beginSnapshot(): void {
    this.#generation += 1;
  }

  /** Removes what the snapshot did not hold; returns the names. */
  endSnapshot(): readonly string[] {
    const gone: string[] = [];
    for (const [name, held] of this.#held) if (held.generation !== this.#generation) gone.push(name);
    for (const name of gone) this.remove(name);
    return gone;
  }

  /** What changed after the version a reader last saw. */
  changesSince(version: number): Changes {
    const behind = this.#version - version;
    if (behind > this.#changed.length) return { everything: true, version: this.#version };
    const names = behind === 0 ? [] : [...new Set(this.#changed.slice(-behind))];
    return { everything: false, version: this.#version, names };
  }

  #note(name: string): void {
    this.#version += 1;
    this.#changed.push(name);
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
    const oldest = this.#held.keys().next();
    if (oldest.done !== true) this.remove(oldest.value);
  }
}
