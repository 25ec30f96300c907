import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeFileAtomic } from "../../../lib/files.js";
import { healthFile } from "../containers/health-monitor.js";

const schema = z.object({
  /** Id of the container in the engine; "" while there is none. */
  container: z.string().regex(/^([0-9a-f]{64})?$/),
  /** Id of the image it is made of. */
  image: z.string().max(256),
  /** Name that the image was given when it was imported; "" for others. */
  imported: z.string().max(256),
  /** Its image is a state that was kept of it or of another, by a name of its own: see {@link baseName}. */
  rebased: z.boolean().default(false),
});

/** What is known of an instance's container, whatever becomes of it in the engine. */
export type ContainerRecord = z.output<typeof schema>;

const [recordFile, endFile, reasonFile] = ["container.json", "end-requested", "end-reason"];
const nameServersFile = "resolv.conf";
const maxReason = 1024;

/** What the image is called that an instance was taken back to, or was copied as. */
export function baseName(uid: string): string {
  return `zorhub.local/base:${uid}`;
}

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
    for (const file of [endFile, reasonFile]) await rm(join(this.#directory, file), { force: true });
  }

  async isEndRequested(): Promise<boolean> {
    return (await readIfExists(join(this.#directory, endFile))) !== undefined;
  }

  /** It is ended here, and that is a failure. */
  async noteEndReason(why: string): Promise<void> {
    await writeFile(join(this.#directory, reasonFile), why.slice(0, maxReason), { mode: 0o600 });
  }

  async endReason(): Promise<string | undefined> {
    return await readIfExists(join(this.#directory, reasonFile));
  }

  /** Keeps the text of the container's /etc/resolv.conf; resolves to its path. What the container writes there ends with the next one. */
  async writeNameServers(text: string): Promise<string> {
    const path = join(this.#directory, nameServersFile);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    // A new file: the one before may be mounted still.
    await rm(path, { force: true });
    await writeFile(path, text, { mode: 0o644, flag: "wx" });
    return path;
  }

  async remove(): Promise<void> {
    for (const file of [recordFile, endFile, reasonFile, nameServersFile, healthFile])
      await rm(join(this.#directory, file), { force: true });
  }
}
