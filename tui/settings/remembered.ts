import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { readIfExists, writeFileAtomic } from "../../lib/files.js";
import { TypedLines } from "../kit/recall.js";
import { RolloutNotes } from "./rollout-notes.js";

/** Lines kept of each sort. */
const mostLines = 500;
/** Longer lines are not kept. */
const longestLine = 1000;

const schema = z.object({
  commands: z.array(z.string()).catch([]),
  filters: z.array(z.string()).catch([]),
  places: z.record(z.string(), z.string()).catch({}),
});
type Kept = z.output<typeof schema>;

/** Prompts whose lines are kept. */
export type RememberedSort = "command" | "filter";

/** What the program remembers from run to run: what was typed, where each context was left, and what was being done to hosts. */
export class Remembered {
  /** In a directory beside it. */
  readonly rollouts: RolloutNotes;
  readonly #path: string | undefined;
  readonly #lines: Readonly<Record<RememberedSort, TypedLines>>;
  #places: Readonly<Record<string, string>>;
  #writing: Promise<void> = Promise.resolve();

  constructor(path?: string, { commands, filters, places }: Kept = { commands: [], filters: [], places: {} }) {
    this.#path = path;
    this.rollouts = new RolloutNotes(path === undefined ? undefined : join(dirname(path), "rollouts"));
    this.#lines = { command: new TypedLines(mostLines, commands), filter: new TypedLines(mostLines, filters) };
    this.#places = places;
  }

  /** Reads what earlier runs have left; what is damaged is as good as nothing. */
  static async open(path: string): Promise<Remembered> {
    return new Remembered(path, await readKept(path));
  }

  /** The newest first. */
  lines(sort: RememberedSort): readonly string[] {
    return this.#lines[sort].all;
  }

  /** The command line that opens the place that a context was left at; undefined: it is not known. */
  placeOf(context: string): string | undefined {
    return this.#places[context];
  }

  /** Remembers a line; resolves when it is kept. Others who run meanwhile keep theirs. */
  async add(sort: RememberedSort, line: string): Promise<void> {
    if (line.length > longestLine) return;
    this.#lines[sort].add(line);
    await this.#keep((kept) => {
      const key = `${sort}s` as const;
      const lines = new TypedLines(mostLines, kept[key]);
      lines.add(line);
      return { ...kept, [key]: lines.all };
    });
  }

  async leave(context: string, place: string): Promise<void> {
    this.#places = { ...this.#places, [context]: place };
    await this.#keep((kept) => ({ ...kept, places: { ...kept.places, [context]: place } }));
  }

  async #keep(change: (kept: Kept) => Kept): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    const write = this.#writing.then(async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFileAtomic(path, `${JSON.stringify(change(await readKept(path)))}\n`);
    });
    this.#writing = write.catch(() => undefined);
    await write;
  }
}

async function readKept(path: string): Promise<Kept> {
  try {
    return schema.parse(JSON.parse((await readIfExists(path)) ?? "{}"));
  } catch {
    return { commands: [], filters: [], places: {} };
  }
}
