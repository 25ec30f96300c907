import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, setAside, syncDirectory, writeFileAtomic } from "../../../lib/files.js";
import { phyFactsSchema } from "./phy-facts.js";

/** What is written down of an interface before anything of it is changed, until it is given back. */
const phyRecordSchema = z.object({
  uid: z.string(),
  /** Resource name. */
  name: z.string(),
  device: z.string(),
  /** How it was found; undefined: it is the host's again. */
  facts: phyFactsSchema.optional(),
  /** When it is given back unless it is confirmed, in milliseconds since 1970; undefined: it need not be confirmed. */
  confirmByMs: z.number().optional(),
  confirmed: z.boolean().default(false),
  /** Why it was given back although it was to stay; "": it was not. */
  rolledBack: z.string().default(""),
  /** What of it could not be given back, for people. */
  lost: z.array(z.string()).default([]),
  /** That it was given back was told as an event. */
  told: z.boolean().default(false),
});

export type PhyRecord = z.output<typeof phyRecordSchema>;

/** The records of interfaces that were taken, a file for each. Durable when a call resolves. */
export class PhyRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined: there is none. One that is damaged is set aside. */
  async find(uid: string): Promise<PhyRecord | undefined> {
    const path = this.#path(uid);
    const text = await readIfExists(path);
    if (text === undefined) return undefined;
    const record = parse(text);
    if (record === undefined) await setAside(path, new Date());
    return record;
  }

  async write(record: PhyRecord): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#path(record.uid), `${JSON.stringify(record)}\n`);
  }

  /** Idempotent. */
  async remove(uid: string): Promise<void> {
    if ((await readIfExists(this.#path(uid))) === undefined) return;
    await rm(this.#path(uid), { force: true });
    await syncDirectory(this.#directory);
  }

  /** Uids of all that there are. */
  async uids(): Promise<readonly string[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names.flatMap((name) => /^([\w-]+)\.json$/.exec(name)?.[1] ?? []);
  }

  #path(uid: string): string {
    return join(this.#directory, `${uid}.json`);
  }
}

function parse(text: string): PhyRecord | undefined {
  try {
    return phyRecordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Where an agent keeps its records. */
export function recordsDirectory(stateDirectory: string): string {
  return join(stateDirectory, "phy-records");
}

/** What marks an interface as taken, as long as it is not given back whole. */
export function phyTag(agentUid: string, uid: string): string {
  return `zor-agent=${agentUid} zor-phy=${uid}`;
}
