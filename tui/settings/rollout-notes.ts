import { randomUUID } from "node:crypto";
import { appendFile, constants, mkdir, readdir, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeFileAtomic } from "../../lib/files.js";
import { findIdentity, isAlive, type ProcessIdentity } from "../../lib/process.js";

/** After that, what was done to hosts says nothing of how they are. */
const oldMs = 30 * 24 * 3_600_000;
/** One that was removed is not made anew. */
const existing = constants.O_WRONLY | constants.O_APPEND;
const suffix = ".jsonl";

const headSchema = z.object({
  context: z.string(),
  verb: z.string(),
  argv: z.array(z.string()),
  beganMs: z.number(),
  /** Who sees to it. */
  process: z.object({ pid: z.number(), startTicks: z.string() }),
});
const lineSchema = z.object({ atMs: z.number(), line: z.string() });

/** A line that the program of a rollout told, and when. */
export type NotedLine = z.output<typeof lineSchema>;

/** What is to be known of a rollout to begin it once more. */
export type RolloutHead = Omit<z.output<typeof headSchema>, "process">;

/** A rollout of which the program that began it did not see the end. */
export interface LeftRollout extends RolloutHead {
  readonly lines: readonly NotedLine[];
  readonly note: RolloutNote;
}

/** What is noted of one rollout. Writes come one after the other; the first that fails is told, and nothing is written any more. */
export class RolloutNote {
  readonly #path: string;
  readonly #onTrouble: (error: unknown) => void;
  #writing: Promise<boolean>;

  /** @param begun resolves when there is a file to add to. */
  constructor(path: string, begun: Promise<void>, onTrouble: (error: unknown) => void) {
    this.#path = path;
    this.#onTrouble = onTrouble;
    this.#writing = this.#told(begun);
  }

  isOf(other: RolloutNote): boolean {
    return this.#path === other.#path;
  }

  add(noted: NotedLine): void {
    this.#writing = this.#writing.then((isWell) =>
      isWell ? this.#told(appendFile(this.#path, `${JSON.stringify(noted)}\n`, { flag: existing })) : false,
    );
  }

  /** Removes it. False: it was gone already, somebody else has removed it. @throws when it cannot be removed. */
  async remove(): Promise<boolean> {
    await this.#writing;
    try {
      await unlink(this.#path);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #told(work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      this.#onTrouble(error);
      return false;
    }
  }
}

/** What is noted of rollouts while they go on, for the run of the program after one that was cut off: a file of each. */
export class RolloutNotes {
  readonly #directory: string | undefined;
  readonly #self: () => Promise<ProcessIdentity | undefined>;

  /** @param directory is made when there is something to note; undefined: nothing is noted. @param self who notes. */
  constructor(directory?: string, self = () => findIdentity(process.pid)) {
    this.#directory = directory;
    this.#self = self;
  }

  /** Begins to note one. Undefined: nothing is noted. @param onTrouble is told of the first write that fails. */
  begin(head: RolloutHead, onTrouble: (error: unknown) => void): RolloutNote | undefined {
    const directory = this.#directory;
    if (directory === undefined) return undefined;
    const path = join(directory, `${randomUUID()}${suffix}`);
    const begin = async (): Promise<void> => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFileAtomic(path, `${JSON.stringify({ ...head, process: await this.#self() })}\n`);
    };
    return new RolloutNote(path, begin(), onTrouble);
  }

  /** Those of a context that nobody sees to any more, the oldest first. What is damaged, or old, is removed. @throws when they cannot be read. */
  async left(context: string, onTrouble: (error: unknown) => void): Promise<readonly LeftRollout[]> {
    const directory = this.#directory;
    if (directory === undefined) return [];
    const found: LeftRollout[] = [];
    for (const name of await namesIn(directory)) {
      const path = join(directory, name);
      const [first = "", ...lines] = ((await readIfExists(path)) ?? "").split("\n");
      const head = parsed(headSchema, first);
      if (head === undefined || Date.now() - head.beganMs > oldMs) await rm(path, { force: true });
      else if (head.context === context && !(await isAlive(head.process))) {
        const { process: _, ...rest } = head;
        // The last one may have been cut off.
        const noted = lines.flatMap((line) => parsed(lineSchema, line) ?? []);
        found.push({ ...rest, lines: noted, note: new RolloutNote(path, Promise.resolve(), onTrouble) });
      }
    }
    return found.sort((left, right) => left.beganMs - right.beganMs);
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(suffix));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function parsed<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
