import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { resourceExhausted } from "../../../lib/errors.js";
import { readIfExists } from "../../../lib/files.js";

/** User and group ids of the host that are those of one container, 0 and so on. */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** Above what systems give to people and programs, below what is negative somewhere. */
const [lowest, rangeIds, ranges] = [0x4000_0000, 65_536, 16_384];

/** Gives each container that asks for one a range of ids that no other has, kept until it is deleted. */
export class UserRanges {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The range of a container. Idempotent. @param home directory of the container. */
  async take(uid: string, home: string): Promise<IdRange> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const known = await this.#find(uid, home);
    if (known !== undefined) return toRange(known);
    const begin = createHash("sha256").update(uid).digest().readUInt32LE(0) % ranges;
    for (let step = 0; step < ranges; step += 1) {
      const number = (begin + step) % ranges;
      const file = join(this.#directory, `${number}`);
      const isNew = await writeFile(file, uid, { flag: "wx", mode: 0o600 }).then(() => true, isTaken);
      // An agent that ended right here has taken it for this very container.
      if (!isNew && (await readFile(file, "utf8")) !== uid) continue;
      await writeFile(join(home, "user-range"), `${number}`, { mode: 0o600 });
      return toRange(number);
    }
    throw resourceExhausted("NO_USER_IDS", "all ranges of user ids of this host are given to containers", "");
  }

  /** Takes a range back. Idempotent. */
  async release(uid: string, home: string): Promise<void> {
    const number = await this.#find(uid, home);
    if (number !== undefined) await rm(join(this.#directory, `${number}`), { force: true });
    await rm(join(home, "user-range"), { force: true });
  }

  async #find(uid: string, home: string): Promise<number | undefined> {
    const text = await readIfExists(join(home, "user-range"));
    if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
    const owner = await readFile(join(this.#directory, text), "utf8").catch(() => "");
    return owner === uid ? Number(text) : undefined;
  }
}

function toRange(number: number): IdRange {
  return { first: lowest + number * rangeIds, count: rangeIds };
}

function isTaken(error: unknown): false {
  if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
  throw error;
}
