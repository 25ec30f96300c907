import { TreeError } from "./dir.js";
import { type TreeItem, treeLimits } from "./tree.js";

const blockBytes = 512;
const pieceBytes = 65_536;
/** Of nothing but zeros after the end: tar fills its last record. */
const maxTrailingBytes = 2 ** 20;
/** Of an extended header: names and numbers. */
const maxExtendedBytes = 64 * 1024;

/** What extended headers say of the next entry. */
interface Extended {
  path?: string;
  linkpath?: string;
  size?: number;
  mtime?: number;
}

/**
 * Reads a tar archive (ustar, pax and GNU long names) that a guest gives, and takes nothing on trust: each name is a plain name below one top,
 * sizes and counts are bounded, and what is damaged, or goes on after its end, is an error. The stream is read to its own end, where its source
 * may say that not everything came: that is the last item, "incomplete". However it ends, and also when its reader has enough, the stream is
 * ended.
 * @param options.hasTop all names begin with that of the tree's top, which is left out. Default: true.
 */
export async function* readTar(
  stream: AsyncIterable<Uint8Array>,
  { hasTop = true }: { readonly hasTop?: boolean } = {},
): AsyncGenerator<TreeItem> {
  await using bytes = new Bytes(stream);
  let extended: Extended = {};
  for (let entries = 0; ; entries += 1) {
    if (entries > treeLimits.entries) throw damaged("it holds too many entries");
    const header = await bytes.block();
    if (header === undefined) throw damaged("it ends in the middle");
    if (header.every((byte) => byte === 0)) {
      const error = await bytes.drain();
      if (error !== undefined) yield { type: "incomplete", error };
      return;
    }
    checkSum(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const size = extended.size ?? number(header, 124, 12);
    if (size > treeLimits.fileBytes) throw damaged("a file in it is too large");
    if ("xgLK".includes(type)) {
      extended = { ...extended, ...(await readExtended(bytes, type, number(header, 124, 12))) };
      continue;
    }
    const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
    const name = extended.path ?? (prefix === "" ? text(header, 0, 100) : `${prefix}/${text(header, 0, 100)}`);
    const target = extended.linkpath ?? text(header, 157, 100);
    const facts = {
      mode: number(header, 100, 8) & 0o7777,
      uid: number(header, 108, 8),
      gid: number(header, 116, 8),
      mtime: extended.mtime ?? number(header, 136, 12),
      target: "",
      size: 0,
    };
    extended = {};
    const path = toPath(name, hasTop);
    switch (type) {
      case "0":
      case "\0":
      case "7":
        yield { type: "entry", entry: { ...facts, path, type: "file", size } };
        yield* data(bytes, size);
        continue;
      case "5":
        yield { type: "entry", entry: { ...facts, path, type: "directory" } };
        break;
      case "2":
        if (target === "" || Buffer.byteLength(target) > treeLimits.pathBytes)
          throw damaged("a link in it points nowhere");
        yield { type: "entry", entry: { ...facts, path, type: "symlink", target } };
        break;
      case "1":
        yield { type: "copy", path, of: toPath(target, hasTop) };
        break;
      default:
        yield { type: "skipped", what: `${name} is neither file, directory nor link` };
    }
    await bytes.skip(size);
  }
}

async function* data(bytes: Bytes, size: number): AsyncGenerator<TreeItem> {
  for (let rest = size; rest > 0; ) {
    const piece = await bytes.take(Math.min(rest, pieceBytes));
    rest -= piece.length;
    yield { type: "data", data: piece };
  }
  await bytes.skip((blockBytes - (size % blockBytes)) % blockBytes, false);
}

/** Names from the top, of "./top/a/b". @throws {TreeError} for what leads elsewhere. */
export function toPath(name: string, hasTop: boolean): readonly string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const bad = parts.find((part) => part === ".." || Buffer.byteLength(part) > treeLimits.nameBytes);
  if (name.startsWith("/") || bad !== undefined || name.includes("\0") || name.includes("\ufffd")) {
    throw damaged(`it holds a name that leads elsewhere or is none: ${JSON.stringify(name.slice(0, 100))}`);
  }
  if (parts.length > treeLimits.depth || Buffer.byteLength(name) > treeLimits.pathBytes)
    throw damaged("a path in it is too long");
  if (!hasTop) return parts;
  if (parts.length === 0) throw damaged("an entry in it has no name");
  return parts.slice(1);
}

async function readExtended(bytes: Bytes, type: string, size: number): Promise<Extended> {
  if (size > maxExtendedBytes) throw damaged("a header in it is too long");
  const content = Buffer.concat(await Array.fromAsync(dataOf(bytes, size)));
  if (type === "g") return {};
  if (type === "L") return { path: text(content, 0, content.length) };
  if (type === "K") return { linkpath: text(content, 0, content.length) };
  const found: Extended = {};
  for (let at = 0; at < content.length; ) {
    const [head = "", digits = ""] = /^(\d{1,6}) /.exec(content.toString("latin1", at, at + 8)) ?? [];
    const length = Number(digits);
    if (length <= head.length || at + length > content.length) throw damaged("a header in it makes no sense");
    const record = content.toString("utf8", at + head.length, at + length - 1);
    const equals = record.indexOf("=");
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === "path") found.path = value;
    if (key === "linkpath") found.linkpath = value;
    if (key === "size") found.size = decimal(value);
    if (key === "mtime") found.mtime = decimal(value);
    if (key.startsWith("GNU.sparse")) throw damaged("it holds sparse files in a form that is not known here");
    at += length;
  }
  return found;
}

async function* dataOf(bytes: Bytes, size: number): AsyncGenerator<Buffer> {
  for await (const item of data(bytes, size)) if (item.type === "data") yield item.data;
}

function checkSum(header: Buffer): void {
  const told = number(header, 148, 8);
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (sum !== told) throw damaged("a header in it is damaged");
}

/** A number of a header, octal or of base 256. */
function number(header: Buffer, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    const value = field.reduce((sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x7f : byte), 0);
    return Number.isSafeInteger(value) ? value : 0;
  }
  const digits = field
    .toString("latin1")
    .replace(/[\0 ].*$/s, (rest) => (/^[\0 ]*$/.test(rest) ? "" : rest))
    .trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw damaged("a number in it is none");
  return Number.parseInt(digits, 8);
}

function decimal(value: string): number {
  const number = Number(value);
  if (!/^-?\d{1,16}(\.\d*)?$/.test(value) || number < 0) throw damaged("a number in it is none");
  return number;
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end === -1 ? length : end);
}

function damaged(why: string): TreeError {
  return new TreeError(`what the instance sent is refused: ${why}`);
}

/** Bytes of a stream, taken in pieces of any size. Disposing of it ends the stream. */
class Bytes implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** 512 bytes; undefined at the end. */
  async block(): Promise<Buffer | undefined> {
    while (this.#held.length < blockBytes) {
      const next = await this.#iterator.next();
      if (next.done === true) return undefined;
      this.#held = Buffer.concat([this.#held, next.value]);
    }
    return this.#cut(blockBytes);
  }

  /** At least one byte, at most so many. */
  async take(most: number): Promise<Buffer> {
    while (this.#held.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) throw damaged("it ends in the middle");
      this.#held = Buffer.from(next.value);
    }
    return this.#cut(Math.min(most, this.#held.length));
  }

  async skip(size: number, padded = true): Promise<void> {
    const whole = padded ? Math.ceil(size / blockBytes) * blockBytes : size;
    for (let rest = whole; rest > 0; ) rest -= (await this.take(Math.min(rest, pieceBytes))).length;
  }

  /** Takes the zeros that are left. Resolves to what was wrong with them, or what the source says at its end. */
  async drain(): Promise<unknown> {
    try {
      for (let come = 0; ; ) {
        come += this.#held.length;
        if (come > maxTrailingBytes || this.#held.some((byte) => byte !== 0)) throw damaged("it goes on after its end");
        const next = await this.#iterator.next();
        if (next.done === true) return undefined;
        this.#held = Buffer.from(next.value);
      }
    } catch (error) {
      return error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever reads has all that was wanted, or an error already: how the source takes its end is no news.
    await this.#iterator.return?.().catch(() => undefined);
  }

  #cut(size: number): Buffer {
    const piece = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(size);
    return piece;
  }
}
