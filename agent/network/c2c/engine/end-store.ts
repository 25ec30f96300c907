import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../../../../lib/errors.js";
import { readIfExists, setAside, writeFileAtomic } from "../../../../lib/files.js";
import { type EndRecord, endRecordSchema } from "../end-record.js";

const fileSchema = z.object({ version: z.literal(1), ends: z.array(endRecordSchema) });

/** The ends of a host on disk. Writes are atomic and durable, one at a time. */
export class EndStore {
  readonly #path: string;
  #tail: Promise<void> = Promise.resolve();

  /** @param directory the engine's own; it exists. */
  constructor(directory: string) {
    this.#path = join(directory, "ends.json");
  }

  /** Reads the ends. A file that cannot be understood is set aside; `warning` then says so. */
  async load(): Promise<{ readonly records: readonly EndRecord[]; readonly warning: string | undefined }> {
    const text = await readIfExists(this.#path);
    if (text === undefined) return { records: [], warning: undefined };
    try {
      return { records: fileSchema.parse(JSON.parse(text)).ends, warning: undefined };
    } catch (error) {
      const aside = await setAside(this.#path, new Date());
      const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
      return { records: [], warning: `ends.json was damaged and is kept as ${aside}: ${why}` };
    }
  }

  /** Replaces what is stored; durable when it resolves. */
  save(records: readonly EndRecord[]): Promise<void> {
    const text = `${JSON.stringify({ version: 1, ends: records }, undefined, 1)}\n`;
    const write = this.#tail.then(() => writeFileAtomic(this.#path, text));
    this.#tail = write.catch(() => undefined);
    return write;
  }
}
