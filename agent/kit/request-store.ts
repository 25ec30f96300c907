import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeFileAtomic } from "../../lib/files.js";
import type { RequestRecord, RequestStore } from "../../lib/idempotency.js";

/** How long an answered request is remembered. */
const keepMs = 24 * 60 * 60 * 1000;
/** Answered requests between two clean-ups. */
const cleanEvery = 500;

const schema = z.object({ digest: z.string(), response: z.base64(), timeMs: z.number() });

/** Answered requests as files, remembered for a day, so that a retry is safe even after the agent was restarted. */
export class FileRequestStore implements RequestStore {
  readonly #directory: string;
  readonly #logError: (error: unknown, message: string) => void;
  readonly #unwritten = new Map<string, RequestRecord>();
  #untilClean = 0;

  constructor(directory: string, logError: (error: unknown, message: string) => void) {
    this.#directory = directory;
    this.#logError = logError;
  }

  async find(id: string): Promise<RequestRecord | undefined> {
    const unwritten = this.#unwritten.get(id);
    if (unwritten !== undefined) return unwritten;
    return parseRecord(await readIfExists(this.#path(id)));
  }

  async put(id: string, record: RequestRecord): Promise<void> {
    const { digest, response, timeMs } = record;
    const text = JSON.stringify({ digest, response: Buffer.from(response).toString("base64"), timeMs });
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#path(id), text);
      await this.#cleanSometimes();
    } catch (error) {
      // The work is done and must be acknowledged, full disk or not; a retry is then recognised until the agent ends.
      this.#unwritten.set(id, record);
      this.#logError(error, "an answered request could not be written down");
    }
  }

  async #cleanSometimes(): Promise<void> {
    if (this.#untilClean > 0) {
      this.#untilClean -= 1;
      return;
    }
    this.#untilClean = cleanEvery;
    for (const file of await readdir(this.#directory)) {
      const path = join(this.#directory, file);
      const record = parseRecord(await readFile(path, "utf8").catch(() => undefined));
      if (record === undefined || record.timeMs < Date.now() - keepMs) await rm(path, { force: true });
    }
  }

  #path(id: string): string {
    return join(this.#directory, `${createHash("sha256").update(id).digest("hex")}.json`);
  }
}

/** A record that was cut off counts as none. */
function parseRecord(text: string | undefined): RequestRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const { digest, response, timeMs } = schema.parse(JSON.parse(text));
    return { digest, response: Buffer.from(response, "base64"), timeMs };
  } catch {
    return undefined;
  }
}
