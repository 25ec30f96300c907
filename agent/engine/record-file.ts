import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../../lib/errors.js";
import { readIfExists, setAside, writeFileAtomic } from "../../lib/files.js";

const fileSchema = z.looseObject({ version: z.literal(1) });

/** What an engine keeps of one kind, in a file. Writes are atomic and durable, one at a time. */
export class RecordFile<Item> {
  readonly #kind: string;
  readonly #path: string;
  readonly #schema: z.ZodType<readonly Item[]>;
  #tail: Promise<void> = Promise.resolve();

  /** @param options.directory the engine's own; it exists. @param options.kind plural, such as "ends": name of the file and of the list in it. */
  constructor(options: { readonly directory: string; readonly kind: string; readonly schema: z.ZodType<Item> }) {
    this.#kind = options.kind;
    this.#path = join(options.directory, `${options.kind}.json`);
    this.#schema = z.array(options.schema);
  }

  /** Reads the records. A file that cannot be understood is set aside; `warning` then says so. */
  async load(): Promise<{ readonly records: readonly Item[]; readonly warning: string | undefined }> {
    const text = await readIfExists(this.#path);
    if (text === undefined) return { records: [], warning: undefined };
    try {
      const file = fileSchema.parse(JSON.parse(text));
      return { records: this.#schema.parse(file[this.#kind]), warning: undefined };
    } catch (error) {
      const aside = await setAside(this.#path, new Date());
      const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
      return { records: [], warning: `${this.#kind}.json was damaged and is kept as ${aside}: ${why}` };
    }
  }

  /** Replaces what is stored; durable when it resolves. */
  save(records: readonly Item[]): Promise<void> {
    const text = `${JSON.stringify({ version: 1, [this.#kind]: records }, undefined, 1)}\n`;
    const write = this.#tail.then(() => writeFileAtomic(this.#path, text));
    this.#tail = write.catch(() => undefined);
    return write;
  }
}
