import { codecOf } from "./codecs.js";

/** Wire types of protobuf. */
const wire = { varint: 0, bits64: 1, bytes: 2, bits32: 5 } as const;
/** Of every kind's message, `name` is the first field. */
const nameField = 1;

/**
 * Reads single fields of encoded messages, and nothing else of them: a hundred times cheaper than decoding. What is there more than once
 * counts as it is there last, as it does for a decoder.
 */
export class EncodedReader {
  /** Where the field that was found begins. */
  from = 0;
  /** Where it ends. */
  to = 0;
  /** It, when it is a number. */
  value = 0;
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;

  /** Finds the resource's name: `from` and `to` say where it is; both are 0 where there is none. @throws {Error} for bytes that are no message. */
  findName(bytes: Uint8Array): void {
    this.#bytes = bytes;
    if (this.#find(nameField, 0, bytes.length) !== wire.bytes) this.from = this.to = 0;
  }

  /** The number at a path of field numbers in a part of some bytes; 0 where it is not said. @throws {Error} for bytes that are no message. */
  number(bytes: Uint8Array, path: readonly number[], from = 0, to = bytes.length): number {
    this.#bytes = bytes;
    this.from = from;
    this.to = to;
    for (const [depth, field] of path.entries()) {
      const found = this.#find(field, this.from, this.to);
      if (found !== (depth === path.length - 1 ? wire.varint : wire.bytes)) return 0;
    }
    return path.length === 0 ? 0 : this.value;
  }

  /** Finds a field; @returns its wire type; -1: it is not there. */
  #find(field: number, from: number, to: number): number {
    let found = -1;
    let [foundFrom, foundTo, foundValue] = [0, 0, 0];
    this.#at = from;
    while (this.#at < to) {
      const tag = this.#varint(to);
      const type = tag & 7;
      let begin = this.#at;
      let value = 0;
      if (type === wire.varint) value = this.#varint(to);
      else if (type === wire.bytes) {
        const length = this.#varint(to);
        begin = this.#at;
        this.#at += length;
      } else if (type === wire.bits64 || type === wire.bits32) this.#at += type === wire.bits64 ? 8 : 4;
      else throw new Error(`these bytes are no message: there is no wire type ${type}`);
      if (this.#at > to) throw new Error("these bytes are no message: they end too early");
      if (tag >>> 3 !== field) continue;
      found = type;
      [foundFrom, foundTo, foundValue] = [begin, this.#at, value];
    }
    [this.from, this.to, this.value] = [foundFrom, foundTo, foundValue];
    return found;
  }

  /** The low 32 bits of a number, as a signed one. */
  #varint(to: number): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || this.#at >= to) throw new Error("these bytes are no message: a number is cut off");
      this.#at += 1;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error("these bytes are no message: a number does not end");
  }
}

/**
 * Numbers of the fields at a path of ts-proto's names in a kind's message, which ends at a number: ["status", "state"].
 * @throws {Error} when there is no such number.
 */
export function fieldNumbers(kind: string, path: readonly string[]): readonly number[] {
  const codec = codecOf(kind);
  const partial = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), 1);
  // The path has at least one segment: without one there is no number.
  const bytes = codec.encode(codec.fromPartial(partial as object)).finish();
  const numbers: number[] = [];
  let at = 0;
  for (let depth = 0; depth < path.length && at < bytes.length; depth += 1) {
    let tag = 0;
    for (let shift = 0; ; shift += 7, at += 1) {
      const byte = bytes[at] ?? 0;
      tag |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    // Behind the tag comes the length of the message inside, or the number: one byte, since there is nothing else in it.
    at += 2;
    numbers.push(tag >>> 3);
  }
  if (numbers.length !== path.length || bytes.length === 0) {
    throw new Error(`the kind "${kind}" has no number at ${path.join(".")}`);
  }
  return numbers;
}
