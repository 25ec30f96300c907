import { mkdir, readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { resourceExhausted, type ZorError } from "../../lib/errors.js";
import { writeFileAtomic } from "../../lib/files.js";

/** How much of the host's disk instances may have, in MiB. What is not set follows from the size of the file system. */
export interface DiskLimits {
  /** Virtual size of all disks of one machine together; default: the size of the file system. */
  readonly instanceMib?: number | undefined;
  /** Everything that instances were promised together; machines' disks grow as they are written, so by default four times the file system. */
  readonly totalMib?: number | undefined;
  /** What instances leave free; default: 5 % of the file system, 2048 at most. */
  readonly reserveMib?: number | undefined;
  /** What one container may write; 0: not bounded. Default 1024. */
  readonly containerMib?: number | undefined;
}

/** What an instance was promised. */
export interface DiskPromise {
  readonly uid: string;
  /** Resource name for errors. */
  readonly resource: string;
  readonly mib: number;
  /** File that holds what was promised; all of it must fit on the disk. Undefined: it grows, and may run into a full disk. */
  readonly file?: string;
}

const bytesPerMib = 1024 * 1024;
const defaultContainerMib = 1024;
const maxDefaultReserveMib = 2048;
const overcommit = 4;

const storedSchema = z.object({ mib: z.number().min(0), file: z.string().optional() });
type Stored = z.output<typeof storedSchema>;

interface Sizes {
  readonly instanceMib: number;
  readonly totalMib: number;
  readonly reserveMib: number;
  readonly freeMib: number;
}

/**
 * Keeps instances from filling the host's disk: what each was promised is on disk, beside the instances, and a new promise is given
 * only when all can be kept. What containers may write is there in full; machines' disks are thin.
 */
export class DiskQuota {
  readonly #state: string;
  readonly #limits: DiskLimits;
  #last: Promise<unknown> = Promise.resolve();

  /** @param options.directory state directory of the agent: its file system is the one that is shared. */
  constructor(options: { readonly directory: string; readonly limits?: DiskLimits | undefined }) {
    this.#state = options.directory;
    this.#limits = options.limits ?? {};
  }

  /** What a new container may write, in MiB; 0: not bounded. */
  get containerMib(): number {
    return this.#limits.containerMib ?? defaultContainerMib;
  }

  /** Largest virtual size that one machine's disks may have together, in MiB. */
  async instanceMib(): Promise<number> {
    return (await this.#sizes()).instanceMib;
  }

  /** Bytes that may still be written without touching the reserve. */
  async spareBytes(): Promise<number> {
    const { freeMib, reserveMib } = await this.#sizes();
    return Math.max(0, freeMib - reserveMib) * bytesPerMib;
  }

  /**
   * Refuses what would touch the reserve.
   * @param why what does not fit, for people, given the bytes that there are.
   * @throws {ZorError} RESOURCE_EXHAUSTED
   */
  async assertSpare(resource: string, bytes: number, why: (spareBytes: number) => string): Promise<void> {
    const spare = await this.spareBytes();
    if (bytes > spare) throw exhausted(resource, why(spare), "free some space, or lower disk.reserveMib");
  }

  /**
   * Promises an instance its disk, anew when it was promised before. Kept until {@link release}.
   * @throws {ZorError} RESOURCE_EXHAUSTED, saying what is lacking and which setting decides.
   */
  async promise(wanted: DiskPromise): Promise<void> {
    // One after the other: two that each fit may not fit together.
    const turn = this.#last.then(() => this.#promise(wanted));
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  /** Takes a promise back. Idempotent. */
  async release(uid: string): Promise<void> {
    await rm(join(this.#directory, uid), { force: true });
  }

  get #directory(): string {
    return join(this.#state, "disk-promises");
  }

  async #promise({ uid, resource, mib, file }: DiskPromise): Promise<void> {
    const { totalMib, reserveMib, freeMib } = await this.#sizes();
    const others = (await this.#list()).filter((each) => each.uid !== uid);
    const promised = others.reduce((sum, each) => sum + each.mib, 0);
    if (promised + mib > totalMib) {
      throw exhausted(
        resource,
        `${mib} MiB of disk with the ${promised} MiB of other instances are more than the ${totalMib} MiB this host gives`,
        "delete instances, make disks smaller, or raise disk.totalMib",
      );
    }
    const stored: Stored = file === undefined ? { mib } : { mib, file };
    const outstanding = await Promise.all([...others, stored].map(outstandingMib));
    const needed = outstanding.reduce((sum, each) => sum + each, 0);
    if (freeMib < needed + reserveMib) {
      throw exhausted(
        resource,
        `the host's disk has ${freeMib} MiB free; containers may still write ${needed} MiB and ${reserveMib} MiB are kept in reserve`,
        "free some space, or lower disk.containerMib or disk.reserveMib",
      );
    }
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(this.#directory, uid), JSON.stringify(stored));
  }

  async #sizes(): Promise<Sizes> {
    await mkdir(this.#state, { recursive: true, mode: 0o700 });
    const { bsize, blocks, bavail } = await statfs(this.#state);
    const diskMib = Math.floor((blocks * bsize) / bytesPerMib);
    const { instanceMib = diskMib, totalMib = overcommit * diskMib, reserveMib } = this.#limits;
    return {
      instanceMib,
      totalMib,
      reserveMib: reserveMib ?? Math.min(maxDefaultReserveMib, Math.floor(diskMib / 20)),
      freeMib: Math.floor((bavail * bsize) / bytesPerMib),
    };
  }

  async #list(): Promise<readonly (Stored & { readonly uid: string })[]> {
    const uids = await readdir(this.#directory).catch(() => []);
    const all = await Promise.all(
      uids
        .filter((uid) => !uid.endsWith(".tmp"))
        .map(async (uid) => {
          const text = await readFile(join(this.#directory, uid), "utf8").catch(() => undefined);
          return text === undefined ? undefined : { uid, ...parse(text) };
        }),
    );
    return all.filter((each) => each !== undefined);
  }
}

function parse(text: string): Stored {
  try {
    return storedSchema.parse(JSON.parse(text));
  } catch {
    // Damaged: nothing is known to be promised.
    return { mib: 0 };
  }
}

/** What of a promise can still be written, and must fit. */
async function outstandingMib({ mib, file }: Stored): Promise<number> {
  if (file === undefined) return 0;
  const blocks = await stat(file).then(
    (found) => found.blocks,
    () => 0,
  );
  return Math.max(0, mib - Math.floor((blocks * 512) / bytesPerMib));
}

function exhausted(resource: string, why: string, remedy: string): ZorError {
  return resourceExhausted("DISK_QUOTA", `${resource}: ${why}; ${remedy} in the agent's settings`, resource);
}
