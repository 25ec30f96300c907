import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Backoff, pause } from "../../../lib/backoff.js";
import { writeFileAtomic } from "../../../lib/files.js";

const schema = z.object({
  /** Of the instance that could not be made. */
  uid: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
  /** Name of the image that was imported for it; "": none was. */
  imported: z.string().max(256),
});

/** What is still to be removed from an engine. */
export type EngineDebt = z.output<typeof schema>;

const [minRetryMs, maxRetryMs] = [500, 15_000];
/** An engine that hung may only now begin with what it was asked before. */
const confirmMs = 5000;

/**
 * What an engine that does not answer may have of instances that could not be made because of that. It is removed when the engine
 * answers again, also by a later agent: nothing appears there afterwards that nobody knows of.
 */
export class EngineDebts {
  readonly #directory: string | undefined;
  readonly #remove: (debt: EngineDebt, signal: AbortSignal) => Promise<void>;
  #wake = Promise.withResolvers<void>();

  /** @param options.directory where it is written down; undefined: nowhere. */
  constructor(options: {
    readonly directory: string | undefined;
    readonly remove: (debt: EngineDebt, signal: AbortSignal) => Promise<void>;
  }) {
    this.#directory = options.directory;
    this.#remove = options.remove;
  }

  /** Takes note of something; durable once it resolves. Resolves to whether that can be. */
  async owe(debt: EngineDebt): Promise<boolean> {
    if (this.#directory === undefined) return false;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(this.#directory, `${debt.uid}.json`), JSON.stringify(debt));
    this.#wake.resolve();
    return true;
  }

  /** Removes what there is to remove as soon as the engine lets it, until the signal aborts. Costs nothing while there is nothing. */
  async follow(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ minMs: minRetryMs, maxMs: maxRetryMs });
    signal.addEventListener("abort", () => this.#wake.resolve(), { once: true });
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      const debts = await this.#list();
      if (signal.aborted) return;
      if (debts.length === 0) {
        await this.#wake.promise;
        backoff.reset();
        continue;
      }
      await this.#settle(debts, signal).catch(() => undefined);
      await backoff.wait(signal);
    }
  }

  async #settle(debts: readonly EngineDebt[], signal: AbortSignal): Promise<void> {
    for (const debt of debts) await this.#remove(debt, signal);
    await pause(confirmMs, signal);
    for (const debt of debts) {
      await this.#remove(debt, signal);
      await rm(join(this.#directory ?? "", `${debt.uid}.json`), { force: true });
    }
  }

  async #list(): Promise<readonly EngineDebt[]> {
    const directory = this.#directory;
    if (directory === undefined) return [];
    const names = await readdir(directory).catch(() => []);
    const read = names.map(async (name) => {
      try {
        return [schema.parse(JSON.parse(await readFile(join(directory, name), "utf8")))];
      } catch {
        // Damaged: nothing can be known of it any more.
        return [];
      }
    });
    return (await Promise.all(read)).flat();
  }
}
