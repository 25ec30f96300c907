import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { turn } from "../sources/source.js";
import { headBytes, type Layout, layoutFor, rowHeadBytes } from "./layout.js";

const magic = "ZORFIGURES 1";
/** Rows that wait to be written at most: a disk that hangs must not take the memory. */
const maxWaiting = 8;
const readChunkBytes = 2 ** 20;

/** What {@link RingFile.open} found. */
export interface OpenedRing {
  readonly file: RingFile;
  /** The list as it was written last; undefined: there was none. */
  readonly list: string | undefined;
  /** What of an earlier file is lost, for people; "": nothing. */
  readonly lost: string;
}

/** Which of the two rings: seconds, or minutes. */
export type Ring = 0 | 1;

/**
 * A file of fixed size with two rings of rows, each with a checksum, and a list of what their columns are, written by turns to two
 * places: whatever a crash tears is known, and everything else is there. The file has holes where nothing was written yet.
 */
export class RingFile {
  readonly layout: Layout;
  readonly #handle: FileHandle;
  /** Begin of what each row is about; NaN: nothing is in it. */
  readonly #times: readonly [Float64Array, Float64Array];
  /** Number of the next row, which says its place. */
  readonly #next: [number, number] = [0, 0];
  #listNumber = 0;
  #waiting = 0;
  #work: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #onWritten: (error: unknown) => void;

  private constructor(handle: FileHandle, layout: Layout, onWritten: (error: unknown) => void) {
    this.#handle = handle;
    this.layout = layout;
    this.#onWritten = onWritten;
    const [first, second] = layout.rings;
    this.#times = [new Float64Array(first.rows).fill(Number.NaN), new Float64Array(second.rows).fill(Number.NaN)];
  }

  /**
   * Opens the file or begins it anew. @param options.onWritten told after each write: undefined, or why it failed.
   * @throws {Error} when it cannot be made.
   */
  static async open(options: {
    readonly path: string;
    readonly fileMib: number;
    /** Rows of the two rings; default: an hour of seconds, a day of minutes. */
    readonly rows?: readonly [number, number];
    readonly onWritten: (error: unknown) => void;
  }): Promise<OpenedRing> {
    const { path, fileMib, rows, onWritten } = options;
    const layout = layoutFor(fileMib, rows);
    const old = await open(path, constants.O_RDWR | constants.O_NOFOLLOW).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    let lost = "";
    if (old !== undefined) {
      try {
        const file = new RingFile(old, layout, onWritten);
        return { file, ...(await file.#load()) };
      } catch (error) {
        await old.close();
        lost = `${error instanceof Error ? error.message : String(error)}; it begins anew`;
        await rm(path);
      }
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await handle.truncate(layout.fileBytes);
      await handle.write(headOf(layout), 0, headBytes, 0);
    } catch (error) {
      await handle.close();
      // What is half made would be called torn.
      await rm(path, { force: true });
      throw error;
    }
    return { file: new RingFile(handle, layout, onWritten), list: undefined, lost };
  }

  /** Begins of the rows of a ring by their places; NaN: nothing is there. */
  times(ring: Ring): Float64Array {
    return this.#times[ring];
  }

  /** Writes a row after all others. Never waits; a row that cannot be written is left out. */
  append(ring: Ring, timeMs: number, values: Uint16Array): void {
    if (this.#closed || this.#waiting >= maxWaiting) return;
    const { rowBytes, rings, columns } = this.layout;
    const number = this.#next[ring]++;
    const place = number % rings[ring].rows;
    const count = Math.min(values.length, columns);
    const row = Buffer.alloc(rowHeadBytes + count * 2);
    row.writeUInt32LE(count, 4);
    row.writeDoubleLE(timeMs, 8);
    row.writeDoubleLE(number, 16);
    for (let index = 0; index < count; index++) row.writeUInt16LE(values[index] ?? 0, rowHeadBytes + index * 2);
    row.writeUInt32LE(crc32(row.subarray(4)), 0);
    this.#times[ring][place] = Number.NaN;
    this.#write(row, rings[ring].offset + place * rowBytes, () => {
      this.#times[ring][place] = timeMs;
    });
  }

  /** Writes the list. False: it is too long. */
  writeList(text: string): boolean {
    const content = Buffer.from(text);
    const { listBytes } = this.layout;
    if (content.length + 16 > listBytes) return false;
    const number = this.#listNumber++;
    const bytes = Buffer.alloc(16 + content.length);
    bytes.writeUInt32LE(content.length, 4);
    bytes.writeDoubleLE(number, 8);
    content.copy(bytes, 16);
    bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
    this.#write(bytes, headBytes + (number % 2) * listBytes);
    return true;
  }

  /** Values of one row, from a column on; undefined: it cannot be read. Columns that it has not are left out. */
  async readRow(ring: Ring, place: number, first: number, count: number): Promise<Uint16Array | undefined> {
    if (this.#closed) return undefined;
    const { rowBytes, rings } = this.layout;
    const offset = rings[ring].offset + place * rowBytes;
    const values = new Uint16Array(count);
    const bytes = new Uint8Array(values.buffer);
    const { bytesRead } = await this.#handle.read(bytes, 0, bytes.length, offset + rowHeadBytes + first * 2);
    return bytesRead === bytes.length ? values : undefined;
  }

  /** Resolves when everything is written that was to be. */
  async written(): Promise<void> {
    await this.#work;
  }

  /** Writes what waits, and lets go of the file. Nothing is written afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#work;
    await this.#handle.close();
  }

  #write(bytes: Buffer, offset: number, done?: () => void): void {
    if (this.#closed) return;
    this.#waiting += 1;
    this.#work = this.#work.then(async () => {
      let failure: unknown;
      try {
        await this.#handle.write(bytes, 0, bytes.length, offset);
        done?.();
      } catch (error) {
        failure = error;
      }
      this.#waiting -= 1;
      this.#onWritten(failure);
    });
  }

  /** @throws {Error} that says why it is no such file. */
  async #load(): Promise<Pick<OpenedRing, "list" | "lost">> {
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await this.#handle.read(head, 0, headBytes, 0);
    if (bytesRead < headBytes || !head.subarray(0, magic.length).equals(Buffer.from(magic)))
      throw new Error("the file of figures is torn");
    if (!head.equals(headOf(this.layout))) throw new Error("the file of figures is of another size than the setting");
    const { size } = await this.#handle.stat();
    if (size !== this.layout.fileBytes) throw new Error("the file of figures is torn: it is too short");
    const list = await this.#loadList();
    const torn = (await this.#loadRing(0)) + (await this.#loadRing(1));
    return { list, lost: torn === 0 ? "" : `${torn} rows of the file of figures are torn and left out` };
  }

  async #loadList(): Promise<string | undefined> {
    const { listBytes } = this.layout;
    let newest: { readonly number: number; readonly text: string } | undefined;
    let isThere = false;
    for (const place of [0, 1]) {
      const bytes = Buffer.alloc(listBytes);
      await this.#handle.read(bytes, 0, listBytes, headBytes + place * listBytes);
      const length = bytes.readUInt32LE(4);
      if (length === 0) continue;
      isThere = true;
      if (length > listBytes - 16 || crc32(bytes.subarray(4, 16 + length)) !== bytes.readUInt32LE(0)) continue;
      const number = bytes.readDoubleLE(8);
      if (newest === undefined || number > newest.number)
        newest = { number, text: bytes.toString("utf8", 16, 16 + length) };
    }
    if (newest === undefined && isThere) throw new Error("the file of figures is torn: nobody knows what is in it");
    this.#listNumber = (newest?.number ?? -1) + 1;
    return newest?.text;
  }

  /** Says how many rows are torn. */
  async #loadRing(ring: Ring): Promise<number> {
    const { rowBytes, rings, columns } = this.layout;
    const { offset, rows } = rings[ring];
    const atOnce = Math.max(1, Math.floor(readChunkBytes / rowBytes));
    const chunk = Buffer.alloc(atOnce * rowBytes);
    let torn = 0;
    let last = -1;
    for (let begin = 0; begin < rows; begin += atOnce) {
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, offset + begin * rowBytes);
      for (let index = 0; index < Math.min(atOnce, rows - begin); index++) {
        const row = chunk.subarray(index * rowBytes, (index + 1) * rowBytes);
        const count = row.readUInt32LE(4);
        if (count === 0 && row.readUInt32LE(0) === 0) continue;
        const end = rowHeadBytes + count * 2;
        const number = row.readDoubleLE(16);
        const isWhole =
          count <= columns &&
          (index + 1) * rowBytes <= bytesRead &&
          crc32(row.subarray(4, end)) === row.readUInt32LE(0) &&
          number % rows === begin + index;
        if (!isWhole) torn += 1;
        else {
          this.#times[ring][begin + index] = row.readDoubleLE(8);
          last = Math.max(last, number);
        }
      }
      await turn();
    }
    this.#next[ring] = last + 1;
    return torn;
  }
}

function headOf({ columns, fileBytes }: Layout): Buffer {
  const head = Buffer.alloc(headBytes);
  head.write(magic, "latin1");
  head.writeUInt32LE(columns, 32);
  head.writeDoubleLE(fileBytes, 40);
  head.writeUInt32LE(crc32(head.subarray(0, 48)), 48);
  return head;
}
