import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeFileAtomic } from "../../../lib/files.js";

const schema = z.object({
  /** Id of the container in the engine; "" while there is none. */
  container: z.string().regex(/^([0-9a-f]{64})?$/),
  /** Id of the image it is made of. */
  image: z.string().max(256),
  /** Name that the image was given when it was imported; "" for others. */
  imported: z.string().max(256),
});

/** What is known of an instance's container, whatever becomes of it in the engine. */
export type ContainerRecord = z.output<typeof schema>;

const [recordFile, endFile] = ["container.json", "end-requested"];

/** The files of an instance of an engine's driver, in its directory. */
export class RecordFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined: nothing was made, or what was is not known any more. */
  async read(): Promise<ContainerRecord | undefined> {
    const text = await readIfExists(join(this.#directory, recordFile));
    if (text === undefined) return undefined;
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      // Damaged: the engine is asked by name.
      return undefined;
    }
  }

  async write(record: ContainerRecord): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(this.#directory, recordFile), JSON.stringify(record));
  }

  /** Its end was asked for: then it is no failure. */
  async noteEndRequested(): Promise<void> {
    await writeFile(join(this.#directory, endFile), "", { mode: 0o600 });
  }

  async forgetEndRequested(): Promise<void> {
    await rm(join(this.#directory, endFile), { force: true });
  }

  async isEndRequested(): Promise<boolean> {
    return (await readIfExists(join(this.#directory, endFile))) !== undefined;
  }

  async remove(): Promise<void> {
    for (const file of [recordFile, endFile]) await rm(join(this.#directory, file), { force: true });
  }
}
