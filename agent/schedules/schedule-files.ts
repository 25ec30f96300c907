import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, setAside, writeFileAtomic } from "../../lib/files.js";
import { isId } from "../../lib/names.js";

const schema = z.object({
  uid: z.string(),
  schedules: z.array(
    z.object({
      name: z.string(),
      timing: z.string(),
      sinceMs: z.number(),
      doneMs: z.number(),
      takenMs: z.number(),
      taken: z.string(),
    }),
  ),
});

/** How the schedules of an instance stand, as the next agent must know it. */
export type StoredSchedules = z.output<typeof schema>;
export type StoredSchedule = StoredSchedules["schedules"][number];

const suffix = ".json";

/** How schedules stand, on disk: a file for each instance that has any. */
export class ScheduleFiles {
  readonly #directory: string;
  /** Writes come one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Reads all, by the id of the instance. What cannot be read is set aside and told. */
  async load(now: Date, report: (damage: string) => void): Promise<ReadonlyMap<string, StoredSchedules>> {
    const found = new Map<string, StoredSchedules>();
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const id = name.slice(0, -suffix.length);
      if (!name.endsWith(suffix) || !isId(id)) continue;
      const path = join(this.#directory, name);
      const parsed = schema.safeParse(parseJson((await readIfExists(path)) ?? ""));
      if (parsed.success) found.set(id, parsed.data);
      else {
        report(`how the schedules of ${id} stood could not be read and is kept as ${await setAside(path, now)}`);
      }
    }
    return found;
  }

  /** Durable when it resolves. */
  async write(id: string, stored: StoredSchedules): Promise<void> {
    await this.#inTurn(async () => {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFileAtomic(join(this.#directory, `${id}${suffix}`), `${JSON.stringify(stored)}\n`);
    });
  }

  /** Idempotent. */
  async remove(id: string): Promise<void> {
    await this.#inTurn(() => rm(join(this.#directory, `${id}${suffix}`), { force: true }));
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    await turn;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
