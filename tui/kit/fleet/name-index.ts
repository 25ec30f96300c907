/** What a {@link NameIndex} asks about the names that are in it. */
export interface KeptNames {
  /** The name that is kept in a slot. */
  nameAt(slot: number): string;
  /** Whether it is this name of ASCII alone, which begins at a place of some bytes. */
  isNameAt(slot: number, bytes: Uint8Array, from: number, to: number): boolean;
}

const smallest = 16;
/** Nothing is there; slots are kept with one added. */
const none = 0;
/** Something was there: whoever looks for another one looks on. */
const left = -1;

/** Slots found by name, without the names: those are where they are kept. Eight to sixteen bytes for each. */
export class NameIndex {
  readonly #names: KeptNames;
  /** Slots, each plus one, from the place on that its name's hash says. */
  #table = new Int32Array(smallest);
  /** Hashes of the names in it, by slot. */
  #hashes = new Int32Array(smallest);
  #size = 0;
  /** Places that are not {@link none}. */
  #used = 0;

  constructor(names: KeptNames) {
    this.#names = names;
  }

  get size(): number {
    return this.#size;
  }

  get keptBytes(): number {
    return this.#table.byteLength + this.#hashes.byteLength;
  }

  /** The slot of a name; -1: it is not there. */
  find(name: string): number {
    return this.#find(hashOfText(name), (slot) => this.#names.nameAt(slot) === name);
  }

  /** The slot of the name that a part of some bytes is, in UTF-8. */
  findBytes(bytes: Uint8Array, from: number, to: number): number {
    const hash = hashOfBytes(bytes, from, to);
    if (hash === undefined) return this.find(Buffer.from(bytes.subarray(from, to)).toString());
    const mask = this.#table.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const kept = this.#table[place] ?? none;
      if (kept === none) return -1;
      const slot = kept - 1;
      if (kept !== left && this.#hashes[slot] === hash && this.#names.isNameAt(slot, bytes, from, to)) return slot;
    }
  }

  /** Adds a name that is not there, kept in that slot already. */
  add(slot: number, name: string): void {
    if (this.#used * 3 >= this.#table.length * 2) this.#rebuild();
    if (slot >= this.#hashes.length) this.#hashes = grown(this.#hashes, slot + 1);
    this.#hashes[slot] = hashOfText(name);
    this.#place(slot);
    this.#size += 1;
  }

  /** Forgets the name of a slot. */
  delete(slot: number): void {
    const mask = this.#table.length - 1;
    for (let place = (this.#hashes[slot] ?? 0) & mask; ; place = (place + 1) & mask) {
      const kept = this.#table[place] ?? none;
      if (kept === none) return;
      if (kept !== slot + 1) continue;
      this.#table[place] = left;
      this.#size -= 1;
      return;
    }
  }

  #find(hash: number, isIt: (slot: number) => boolean): number {
    const mask = this.#table.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const kept = this.#table[place] ?? none;
      if (kept === none) return -1;
      if (kept !== left && this.#hashes[kept - 1] === hash && isIt(kept - 1)) return kept - 1;
    }
  }

  #place(slot: number): void {
    const mask = this.#table.length - 1;
    let place = (this.#hashes[slot] ?? 0) & mask;
    while (this.#table[place] !== none) place = (place + 1) & mask;
    this.#table[place] = slot + 1;
    this.#used += 1;
  }

  /** Makes room, and forgets where something was. */
  #rebuild(): void {
    const before = this.#table;
    let length = smallest;
    while (length < (this.#size + 1) * 3) length *= 2;
    this.#table = new Int32Array(length);
    this.#used = 0;
    for (const kept of before) if (kept > none) this.#place(kept - 1);
  }
}

/** The same numbers with room for at least so many. */
export function grown(numbers: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(Math.max(length, numbers.length + (numbers.length >> 1) + smallest));
  next.set(numbers);
  return next;
}

/** FNV-1a of the code units. */
function hashOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The same of a name in UTF-8; undefined: it is not of ASCII alone, so that its bytes are no code units. */
function hashOfBytes(bytes: Uint8Array, from: number, to: number): number | undefined {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte > 0x7f) return undefined;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash ^ (hash >>> 15);
}
