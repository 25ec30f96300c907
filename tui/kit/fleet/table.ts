import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import { EncodedReader } from "../../../lib/kinds/encoded.js";
import { hostOf } from "../resource-name.js";
import type { Row } from "../row.js";
import { Chains } from "./chains.js";
import { ChangeLog, type Changes } from "./change-log.js";
import { GlancedRow, KeptRow, type RowSource } from "./kept-row.js";
import { grown, type KeptNames, NameIndex } from "./name-index.js";
import { RecentRows } from "./recent-rows.js";
import { Slab } from "./slab.js";

/** The one chain of all slots. */
const all = 0;

/** What a table is about. */
export interface TableOptions {
  /** Singular of the kind of its rows. */
  readonly kind: string;
  /** Numbers of the fields at which a message says its state; empty: it says none, all count as 0. */
  readonly stateAt: readonly number[];
  /** Beyond so many rows the oldest are forgotten. */
  readonly limit: number;
}

/**
 * All resources of one kind, kept as the bytes they came in: found by name and by host, counted by state as they change. Nothing here
 * walks all rows for one change, and what is kept of a resource is numbers and bytes outside of the heap, some sixty more than it has.
 * A row has a slot, a number below {@link capacity}, for as long as it is there; later it is another's.
 */
export class Table implements KeptNames, RowSource {
  readonly kind: string;
  readonly #options: TableOptions;
  readonly #reader = new EncodedReader();
  readonly #index = new NameIndex(this);
  readonly #order = new Chains();
  readonly #onHosts = new Chains();
  readonly #hostIds: string[] = [];
  readonly #hostNumbers = new Map<string, number>();
  readonly #totals = new Map<number, number>();
  readonly #recent = new RecentRows();
  readonly #log = new ChangeLog();
  readonly #free: number[] = [];
  #slab = new Slab();
  #capacity = 0;
  #generation = 1;
  // By slot, from here on.
  #addresses = new Int32Array();
  #lengths = new Int32Array();
  /** Where in the message its name is. */
  #nameFrom = new Int32Array();
  #nameTo = new Int32Array();
  #states = new Int32Array();
  #hosts = new Int32Array();
  /** The snapshot in which it came last; 0: the slot is empty. */
  #generations = new Int32Array();
  #receivedAtMs = new Float64Array();

  constructor(options: TableOptions) {
    this.kind = options.kind;
    this.#options = options;
  }

  /** Grows with every change. */
  get version(): number {
    return this.#log.version;
  }

  get size(): number {
    return this.#index.size;
  }

  /** No slot is as large. */
  get capacity(): number {
    return this.#capacity;
  }

  /** What its rows take, in bytes: all of it outside of the heap. */
  get keptBytes(): number {
    const numbers = 7 * this.#addresses.byteLength + this.#receivedAtMs.byteLength;
    return this.#slab.cellBytes + numbers + this.#index.keptBytes + this.#order.keptBytes + this.#onHosts.keptBytes;
  }

  /** Number of rows by state, of all hosts. */
  get totals(): ReadonlyMap<number, number> {
    return this.#totals;
  }

  /** The row of that name, as it is now: it stays so, and the next one that is asked for may be another object. */
  find(name: string): Row | undefined {
    return this.at(this.slotOf(name));
  }

  /** Slot of a row; -1: there is none of that name. */
  slotOf(name: string): number {
    return this.#index.find(name);
  }

  /** The row in a slot, as {@link find} gives it; undefined: there is none. */
  at(slot: number): Row | undefined {
    if (!this.#has(slot)) return undefined;
    const known = this.#recent.get(slot);
    if (known !== undefined) return known;
    const row = this.#make(slot);
    this.#recent.set(slot, row);
    return row;
  }

  /** The row in a slot, to be looked at before anything changes and not to be kept: for whoever looks at all of them. */
  glance(slot: number): Row | undefined {
    return this.#has(slot) ? (this.#recent.get(slot) ?? new GlancedRow(this, slot)) : undefined;
  }

  /** Slots of all rows, in the order in which they came. */
  slots(): IterableIterator<number> {
    return this.#order.of(all);
  }

  /** All rows, in the order in which they came. */
  *rows(): IterableIterator<Row> {
    for (const slot of this.#order.of(all)) yield this.#recent.get(slot) ?? this.#make(slot);
  }

  /** Ids of the hosts that there are rows on; "" for the hub. */
  get hosts(): readonly string[] {
    return this.#hostIds.filter((_, number) => this.#onHosts.lengthOf(number) > 0);
  }

  /** Names of the rows on a host, in the order in which they came. */
  namesOn(host: string): readonly string[] {
    return Array.from(this.#slotsOn(host), (slot) => this.nameAt(slot));
  }

  /** Number of the rows on a host. */
  countOn(host: string): number {
    const number = this.#hostNumbers.get(host);
    return number === undefined ? 0 : this.#onHosts.lengthOf(number);
  }

  /** Number of the rows on a host by state. */
  statesOn(host: string): ReadonlyMap<number, number> {
    const states = new Map<number, number>();
    for (const slot of this.#slotsOn(host)) add(states, this.#states[slot] ?? 0, 1);
    return states;
  }

  /**
   * Makes or replaces a resource of which these are the bytes, which are copied. @returns its slot.
   * @throws {Error} for bytes that are no message.
   */
  put(bytes: Uint8Array, receivedAtMs: number): number {
    this.#reader.findName(bytes);
    const { from, to } = this.#reader;
    const state = this.#reader.number(bytes, this.#options.stateAt);
    const known = this.#index.findBytes(bytes, from, to);
    const slot = known >= 0 ? known : this.#open();
    if (known >= 0) {
      add(this.#totals, this.#states[slot] ?? 0, -1);
      this.#addresses[slot] = this.#slab.replace(this.#addresses[slot] ?? 0, this.#lengths[slot] ?? 0, bytes);
      this.#recent.delete(slot);
    } else {
      this.#addresses[slot] = this.#slab.put(bytes, 0, bytes.length);
    }
    this.#lengths[slot] = bytes.length;
    this.#nameFrom[slot] = from;
    this.#nameTo[slot] = to;
    this.#states[slot] = state;
    this.#generations[slot] = this.#generation;
    this.#receivedAtMs[slot] = receivedAtMs;
    if (known < 0) this.#enter(slot);
    add(this.#totals, state, 1);
    this.#log.note(slot, this.hostAt(slot));
    if (this.size > this.#options.limit) this.#leave(this.#order.firstOf(all) ?? slot);
    if (this.#slab.isWasteful) this.#move();
    return slot;
  }

  /** Like {@link put}, of an object. */
  putValue(value: NamedMessage, receivedAtMs: number): number {
    return this.put(codecOf(this.kind).encode(value).finish(), receivedAtMs);
  }

  remove(name: string): boolean {
    const slot = this.slotOf(name);
    if (slot < 0) return false;
    this.#leave(slot);
    if (this.#slab.isWasteful) this.#move();
    return true;
  }

  /** Tells readers that the rows on a host look different although they did not change themselves. */
  touch(host: string): void {
    for (const slot of this.#slotsOn(host)) this.#log.note(slot, host);
  }

  /** Tells readers that a row looks different although it did not change itself. */
  touchRow(name: string): void {
    const slot = this.slotOf(name);
    if (slot >= 0) this.#log.note(slot, this.hostAt(slot));
  }

  /** A snapshot begins: what it does not repeat goes away in {@link endSnapshot}, and stays visible until then. */
  beginSnapshot(): void {
    this.#generation += 1;
  }

  /** Removes what the snapshot did not hold; returns the names. */
  endSnapshot(): readonly string[] {
    const gone: string[] = [];
    for (const slot of this.#order.of(all)) {
      if (this.#generations[slot] === this.#generation) continue;
      gone.push(this.nameAt(slot));
      this.#leave(slot);
    }
    if (this.#slab.isWasteful) this.#move();
    return gone;
  }

  /** What changed after the version a reader last saw. */
  changesSince(version: number): Changes {
    return this.#log.since(version);
  }

  /** Slots of the rows that are new, different or gone after a version, each once, however far behind that is. */
  slotsSince(version: number): readonly number[] {
    return this.#log.slotsSince(version);
  }

  nameAt(slot: number): string {
    const address = this.#addresses[slot] ?? 0;
    const offset = this.#slab.offsetOf(address);
    return this.#slab
      .chunkOf(address)
      .toString("utf8", offset + (this.#nameFrom[slot] ?? 0), offset + (this.#nameTo[slot] ?? 0));
  }

  isNameAt(slot: number, bytes: Uint8Array, from: number, to: number): boolean {
    const begin = this.#nameFrom[slot] ?? 0;
    if ((this.#nameTo[slot] ?? 0) - begin !== to - from) return false;
    const address = this.#addresses[slot] ?? 0;
    const chunk = this.#slab.chunkOf(address);
    const offset = this.#slab.offsetOf(address) + begin - from;
    for (let at = from; at < to; at += 1) if (chunk[offset + at] !== bytes[at]) return false;
    return true;
  }

  hostAt(slot: number): string {
    return this.#hostIds[this.#hosts[slot] ?? -1] ?? "";
  }

  receivedAtMs(slot: number): number {
    return this.#receivedAtMs[slot] ?? 0;
  }

  bytesAt(slot: number): Uint8Array {
    if (!this.#has(slot)) return new Uint8Array();
    const address = this.#addresses[slot] ?? 0;
    const offset = this.#slab.offsetOf(address);
    return this.#slab.chunkOf(address).subarray(offset, offset + (this.#lengths[slot] ?? 0));
  }

  #has(slot: number): boolean {
    return (this.#generations[slot] ?? 0) !== 0;
  }

  #make(slot: number): KeptRow {
    const address = this.#addresses[slot] ?? 0;
    const offset = this.#slab.offsetOf(address);
    const text = this.#slab.chunkOf(address).toString("latin1", offset, offset + (this.#lengths[slot] ?? 0));
    const [name, host, receivedAtMs] = [this.nameAt(slot), this.hostAt(slot), this.receivedAtMs(slot)];
    return new KeptRow({ kind: this.kind, name, host, receivedAtMs }, text);
  }

  #slotsOn(host: string): Iterable<number> {
    const number = this.#hostNumbers.get(host);
    return number === undefined ? [] : this.#onHosts.of(number);
  }

  /** A slot for one more row. */
  #open(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const slot = this.#capacity;
    this.#capacity += 1;
    if (slot < this.#addresses.length) return slot;
    this.#addresses = grown(this.#addresses, slot + 1);
    this.#lengths = grown(this.#lengths, slot + 1);
    this.#nameFrom = grown(this.#nameFrom, slot + 1);
    this.#nameTo = grown(this.#nameTo, slot + 1);
    this.#states = grown(this.#states, slot + 1);
    this.#hosts = grown(this.#hosts, slot + 1);
    this.#generations = grown(this.#generations, slot + 1);
    const times = new Float64Array(this.#addresses.length);
    times.set(this.#receivedAtMs);
    this.#receivedAtMs = times;
    return slot;
  }

  /** Puts a slot that was filled where it is found. */
  #enter(slot: number): void {
    const name = this.nameAt(slot);
    const host = hostOf(name) ?? "";
    let number = this.#hostNumbers.get(host);
    if (number === undefined) {
      number = this.#hostIds.length;
      this.#hostIds.push(host);
      this.#hostNumbers.set(host, number);
    }
    this.#hosts[slot] = number;
    this.#index.add(slot, name);
    this.#order.add(all, slot);
    this.#onHosts.add(number, slot);
  }

  #leave(slot: number): void {
    this.#log.note(slot, this.hostAt(slot));
    add(this.#totals, this.#states[slot] ?? 0, -1);
    this.#index.delete(slot);
    this.#order.delete(all, slot);
    this.#onHosts.delete(this.#hosts[slot] ?? 0, slot);
    this.#recent.delete(slot);
    this.#slab.free(this.#addresses[slot] ?? 0, this.#lengths[slot] ?? 0);
    this.#generations[slot] = 0;
    this.#free.push(slot);
  }

  /** Into a slab without waste. */
  #move(): void {
    const next = new Slab();
    for (const slot of this.#order.of(all)) {
      const bytes = this.bytesAt(slot);
      this.#addresses[slot] = next.put(bytes, 0, bytes.length);
    }
    this.#slab = next;
  }
}

/** Counts, and forgets what there is none of. */
function add(counts: Map<number, number>, key: number, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
