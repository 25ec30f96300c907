import { join } from "node:path";
import { messageOf } from "../../lib/errors.js";
import { readIfExists, setAside, writeFileAtomic } from "../../lib/files.js";
import { type Codec, readJson } from "./protocol/codec.js";

const fileVersion = 2;

/** What an engine keeps of one kind, in a file. Writes are atomic and durable, one at a time. */
export class RecordFile<Item> {
  readonly #kind: string;
  readonly #path: string;
  readonly #codec: Codec<Item>;
  #tail: Promise<void> = Promise.resolve();

  /** @param options.directory the engine's own; it exists. @param options.kind plural, such as "ends": name of the file and of the list in it. */
  constructor(options: { readonly directory: string; readonly kind: string; readonly codec: Codec<Item> }) {
    this.#kind = options.kind;
    this.#path = join(options.directory, `${options.kind}.json`);
    this.#codec = options.codec;
  }

  /** Reads the records. A file that cannot be understood is set aside; `warning` then says so. */
  async load(): Promise<{ readonly records: readonly Item[]; readonly warning: string | undefined }> {
    const text = await readIfExists(this.#path);
    if (text === undefined) return { records: [], warning: undefined };
    try {
      return { records: this.#parse(JSON.parse(text)), warning: undefined };
    } catch (error) {
      const aside = await setAside(this.#path, new Date());
      return { records: [], warning: `${this.#kind}.json was damaged and is kept as ${aside}: ${messageOf(error)}` };
    }
  }

  /** Replaces what is stored; durable when it resolves. */
  save(records: readonly Item[]): Promise<void> {
    const items = records.map((record) => this.#codec.toJSON(record));
    const text = `${JSON.stringify({ version: fileVersion, [this.#kind]: items }, undefined, 1)}\n`;
    const write = this.#tail.then(() => writeFileAtomic(this.#path, text));
    this.#tail = write.catch(() => undefined);
    return write;
  }

  #parse(file: unknown): readonly Item[] {
    const { version, [this.#kind]: items } = Object(file) as Readonly<Record<string, unknown>>;
    if (version !== fileVersion) throw new Error(`it is not of version ${fileVersion}`);
    if (!Array.isArray(items)) throw new Error(`there is no list "${this.#kind}" in it`);
    return items.map((item: unknown) => readJson(this.#codec, item));
  }
}
