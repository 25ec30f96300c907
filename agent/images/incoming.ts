import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { failedPrecondition, resourceExhausted } from "../../lib/errors.js";
import { writeFileAtomic } from "../../lib/files.js";
import { storeDirectory } from "./store-paths.js";

/** Something that comes to the host, as it is known on disk. */
const metaSchema = z.object({ sizeBytes: z.number().int().min(0), resumable: z.boolean() });

/** What is expected of something that comes. */
export type ArrivalMeta = z.output<typeof metaSchema>;

/** Something that comes to the host in its own directory. */
export interface Arrival {
  readonly key: string;
  readonly directory: string;
  /** The bytes that came. */
  readonly data: string;
  /** Lets go of it, so that it can go on later. */
  leave(): Promise<void>;
  /** Removes it with all that was made of it. */
  drop(): Promise<void>;
}

const keepMs = 60 * 60 * 1000;
const maxArrivals = 16;

/** A name for an arrival that nobody else has. */
export function arrivalKey(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 40);
}

/**
 * What is on its way to the store. Each has a directory; what is cut off stays for an hour, so that it can go on where it was, and goes
 * with the next that comes or the next start of the agent.
 */
export class Incoming {
  readonly #directory: string;
  readonly #open = new Set<string>();
  /** Of those, what nobody will go on with. */
  readonly #doomed = new Set<string>();

  private constructor(state: string) {
    this.#directory = join(storeDirectory(state), ".incoming");
  }

  /** Takes away what an earlier run left and nobody will go on with. */
  static async open(state: string): Promise<Incoming> {
    const incoming = new Incoming(state);
    await mkdir(incoming.#directory, { recursive: true, mode: 0o700 });
    await incoming.sweep(Date.now());
    return incoming;
  }

  /**
   * Begins or goes on with what comes. What is there of another size, or cannot go on, is thrown away.
   * @throws {ZorError} FAILED_PRECONDITION when it is under way already, RESOURCE_EXHAUSTED when too many are.
   */
  async take(key: string, meta: ArrivalMeta, resource: string): Promise<Arrival> {
    if (this.#open.has(key)) {
      throw failedPrecondition(
        "IMPORT_UNDER_WAY",
        resource,
        `${resource}: this import is under way already; wait for it`,
      );
    }
    if (this.#open.size >= maxArrivals) {
      throw resourceExhausted("TOO_MANY_IMPORTS", `${maxArrivals} images come to this host already; try again later`);
    }
    this.#open.add(key);
    try {
      await this.sweep(Date.now());
      const directory = join(this.#directory, key);
      const path = join(directory, "meta.json");
      const before = parse(await readFile(path, "utf8").catch(() => ""));
      const goesOn = before?.resumable === true && meta.resumable && before.sizeBytes === meta.sizeBytes;
      if (!goesOn) {
        await rm(directory, { recursive: true, force: true });
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await writeFileAtomic(path, JSON.stringify(meta));
      }
      const data = join(directory, "data");
      await (await open(data, "a", 0o600)).close();
      return {
        ...{ key, directory, data },
        leave: async () => {
          if (this.#doomed.delete(key)) await rm(directory, { recursive: true, force: true });
          this.#open.delete(key);
        },
        drop: async () => {
          await rm(directory, { recursive: true, force: true });
          this.#doomed.delete(key);
          this.#open.delete(key);
        },
      };
    } catch (error) {
      this.#open.delete(key);
      throw error;
    }
  }

  /** Throws away what was cut off: at once, or, where that is not noticed yet, as soon as it is. What goes on to its end does so. */
  async drop(key: string): Promise<void> {
    if (this.#open.has(key)) this.#doomed.add(key);
    else await rm(join(this.#directory, key), { recursive: true, force: true });
  }

  /** Throws away what has been cut off for too long. */
  async sweep(nowMs: number): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (this.#open.has(name)) continue;
      const directory = join(this.#directory, name);
      const meta = parse(await readFile(join(directory, "meta.json"), "utf8").catch(() => ""));
      const found = await stat(join(directory, "data")).catch(() => undefined);
      const isFresh = found !== undefined && nowMs - found.mtimeMs < keepMs;
      if (meta?.resumable !== true || !isFresh) await rm(directory, { recursive: true, force: true });
    }
  }
}

function parse(text: string): ArrivalMeta | undefined {
  try {
    return metaSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
