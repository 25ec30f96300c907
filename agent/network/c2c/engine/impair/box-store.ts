import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../../../../../lib/errors.js";
import { readIfExists, setAside, writeFileAtomic } from "../../../../../lib/files.js";
import { boxSpecSchema } from "../../../a2b/box-protocol.js";

/** A box as it is stored in boxes.json. */
const boxRecordSchema = z.object({
  spec: boxSpecSchema,
  /** In use, decimal. */
  seed: z.string().regex(/^-?\d{1,20}$/),
  /** When the spec was set, in milliseconds since the epoch: the schedule began then. */
  setMs: z.number(),
});

/** See {@link boxRecordSchema}. */
export type BoxRecord = z.output<typeof boxRecordSchema>;

const fileSchema = z.object({ version: z.literal(1), boxes: z.array(boxRecordSchema) });

/** The boxes of a host on disk. Writes are atomic and durable, one at a time. */
export class BoxStore {
  readonly #path: string;
  #tail: Promise<void> = Promise.resolve();

  /** @param directory the engine's own; it exists. */
  constructor(directory: string) {
    this.#path = join(directory, "boxes.json");
  }

  /** Reads the boxes. A file that cannot be understood is set aside; `warning` then says so. */
  async load(): Promise<{ readonly records: readonly BoxRecord[]; readonly warning: string | undefined }> {
    const text = await readIfExists(this.#path);
    if (text === undefined) return { records: [], warning: undefined };
    try {
      return { records: fileSchema.parse(JSON.parse(text)).boxes, warning: undefined };
    } catch (error) {
      const aside = await setAside(this.#path, new Date());
      const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
      return { records: [], warning: `boxes.json was damaged and is kept as ${aside}: ${why}` };
    }
  }

  /** Replaces what is stored; durable when it resolves. */
  save(records: readonly BoxRecord[]): Promise<void> {
    const text = `${JSON.stringify({ version: 1, boxes: records }, undefined, 1)}\n`;
    const write = this.#tail.then(() => writeFileAtomic(this.#path, text));
    this.#tail = write.catch(() => undefined);
    return write;
  }
}
