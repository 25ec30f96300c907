import { z } from "zod";
import { readIfExists, setAside, writeFileAtomic } from "../../../lib/files.js";
import type { DurableWriter } from "../../kit/spec-directory.js";
import { parseJson } from "../../kit/stored-spec.js";

const schema = z.object({ version: z.literal(1), bootId: z.string(), pending: z.array(z.string()) });

/** How a record of the host's boots is kept. */
export interface BootRecordOptions {
  readonly path: string;
  /** Of the run of the host's kernel that is now; "": the kernel does not tell. */
  readonly bootId: string;
  readonly write?: DurableWriter | undefined;
  readonly now: Date;
}

/**
 * Which run of the host's kernel the agent was in last, and which instances are still to be started because of it: an agent that is
 * killed in the middle goes on with the rest.
 */
export class BootRecord {
  readonly #options: BootRecordOptions;
  readonly #write: DurableWriter;
  readonly #pending: Set<string>;
  /** The host has booted since an agent of it ran last, and nothing was planned yet. */
  readonly isNewBoot: boolean;
  /** What was wrong with the file, for people; "": nothing. */
  readonly damage: string;

  private constructor(
    options: BootRecordOptions,
    found: { readonly isNewBoot: boolean; readonly pending: readonly string[]; readonly damage: string },
  ) {
    this.#options = options;
    this.#write = options.write ?? writeFileAtomic;
    this.isNewBoot = found.isNewBoot;
    this.#pending = new Set(found.pending);
    this.damage = found.damage;
  }

  /**
   * Reads the record.
   * @param options.hasEarlierRun without a record that can be read: whether something tells of an earlier run of the host's kernel.
   */
  static async open(options: BootRecordOptions & { readonly hasEarlierRun: boolean }): Promise<BootRecord> {
    const { path, bootId, now, hasEarlierRun } = options;
    const text = await readIfExists(path);
    const parsed = schema.safeParse(parseJson(text ?? ""));
    if (parsed.success) {
      const isNewBoot = bootId !== "" && parsed.data.bootId !== bootId;
      return new BootRecord(options, { isNewBoot, pending: isNewBoot ? [] : parsed.data.pending, damage: "" });
    }
    if (text !== undefined) await setAside(path, now);
    const damage = text === undefined ? "" : "the record of the host's boots was damaged and is set aside";
    return new BootRecord(options, { isNewBoot: hasEarlierRun, pending: [], damage });
  }

  /** Ids of instances that are still to be started. */
  get pending(): ReadonlySet<string> {
    return this.#pending;
  }

  /** Takes note of what is to be started in this run of the host's kernel. */
  async plan(ids: readonly string[]): Promise<void> {
    this.#pending.clear();
    for (const id of ids) this.#pending.add(id);
    await this.#save();
  }

  /** One of them waits no more. */
  async done(id: string): Promise<void> {
    if (this.#pending.delete(id)) await this.#save();
  }

  async #save(): Promise<void> {
    const { path, bootId } = this.#options;
    await this.#write(path, `${JSON.stringify({ version: 1, bootId, pending: [...this.#pending] })}\n`);
  }
}
