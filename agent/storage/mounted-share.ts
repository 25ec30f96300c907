import { realpathSync } from "node:fs";
import { mkdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { ZorError } from "../../lib/errors.js";
import type { PoolCapacity, StoragePool } from "./pool-backend.js";
import { inShareTurn } from "./share-turns.js";
import { type RunTool, silentStorage, type StorageCommand, strangeOutput } from "./storage-tool.js";
import { unavailablePool } from "./volume-files.js";

/** What is mounted. */
export interface Share {
  /** As mount(8) calls it: "nfs", "glusterfs". */
  readonly type: string;
  /** File systems that this may turn out to be, as the kernel tells. */
  readonly shows: readonly string[];
  /** "server:/export" */
  readonly source: string;
  readonly options: readonly string[];
  /** For people: "the NFS server nas". */
  readonly storage: string;
  readonly packageName: string;
  /** What to do when the kernel knows no such file system. */
  readonly moduleRemedy: string;
}

/** What a share is mounted with. */
export interface MountedShareOptions {
  /** State directory of the agent. */
  readonly state: string;
  readonly shareOf: (pool: StoragePool) => Share;
  readonly run: RunTool;
}

const mountMs = 30_000;
const unmountMs = 10_000;
const lookMs = 5000;

/** Command lines; pure. */
export const mountCommands = {
  mount: ({ type, source, options }: Share, at: string): StorageCommand => ({
    tool: "mount",
    argv: ["-t", type, "-o", options.join(","), source, at],
    timeoutMs: mountMs,
  }),
  unmount: (at: string): StorageCommand => ({ tool: "umount", argv: [at], timeoutMs: unmountMs }),
  /** For what does not answer, or is still used: nobody finds it by its name any more. */
  detach: (at: string): StorageCommand => ({ tool: "umount", argv: ["--lazy", at], timeoutMs: unmountMs }),
  look: (at: string): StorageCommand => ({
    tool: "stat",
    argv: ["--file-system", "--format", "%S %b %a", "--", at],
    timeoutMs: lookMs,
  }),
};

/**
 * Shares of servers, each mounted below the agent's state directory. A server that does not answer would hold up whoever touches its
 * share, so it is first asked by a process of its own, for which nobody waits long.
 */
export class MountedShare {
  readonly #options: MountedShareOptions;

  constructor(options: MountedShareOptions) {
    this.#options = options;
  }

  /** Where a pool's share is mounted; no part of it is a link. */
  directoryOf({ uid }: Pick<StoragePool, "uid">): string {
    return join(realpathSync(this.#options.state), "storage-mounts", uid);
  }

  /** Mounts a share that is not mounted. Idempotent. @throws {ZorError} saying what is lacking. */
  async open(pool: StoragePool): Promise<void> {
    const at = this.directoryOf(pool);
    const share = this.#options.shareOf(pool);
    const found = await findMount(at);
    if (found !== undefined && !isShare(found, share)) {
      throw unavailablePool(pool.name, "something else is mounted where its share belongs", `look at: findmnt ${at}`);
    }
    if (found === undefined) {
      await mkdir(at, { recursive: true, mode: 0o700 });
      await this.#execute(pool, mountCommands.mount(share, at)).catch((error: unknown) => {
        throw readable(error, pool, share);
      });
    }
    await this.look(pool);
  }

  /** Unmounts it, whatever its server does. Idempotent. */
  async close(pool: StoragePool): Promise<void> {
    const at = this.directoryOf(pool);
    if ((await findMount(at)) !== undefined) {
      await this.#execute(pool, mountCommands.unmount(at)).catch(() => this.#execute(pool, mountCommands.detach(at)));
    }
    await rmdir(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }

  /**
   * What the share has, once its server has answered: what is done with its files right after does not wait long.
   * @throws {ZorError} when it is not mounted, or does not answer.
   */
  async look(pool: StoragePool): Promise<PoolCapacity> {
    const at = this.directoryOf(pool);
    const share = this.#options.shareOf(pool);
    const found = await findMount(at);
    // Without it files would be made on the host's own disk.
    if (found === undefined || !isShare(found, share)) {
      throw unavailablePool(
        pool.name,
        `${share.source} is not mounted`,
        "it is mounted again by itself; look whether its server runs",
      );
    }
    const { stdout } = await this.#execute(pool, mountCommands.look(at));
    const told = /^(\d{1,9}) (\d{1,18}) (\d{1,18})\n?$/.exec(stdout);
    if (told === null) throw strangeOutput(pool.name, "stat");
    const [block, blocks, free] = told.slice(1).map(BigInt) as [bigint, bigint, bigint];
    return { totalBytes: block * blocks, freeBytes: block * free };
  }

  /** Does something with its files, once its server has answered. @throws like {@link look}. */
  use<T>(pool: StoragePool, work: () => Promise<T>): Promise<T> {
    return inShareTurn(async () => {
      await this.look(pool);
      return await work();
    });
  }

  async #execute(pool: StoragePool, command: StorageCommand): Promise<{ readonly stdout: string }> {
    const { packageName, storage } = this.#options.shareOf(pool);
    const { signal } = new AbortController();
    return await this.#options.run(command, { resource: pool.name, packageName, storage, signal });
  }
}

/** A mount, as /proc/self/mountinfo tells (proc(5)). */
interface Mount {
  readonly type: string;
  readonly source: string;
}

/** What is mounted at a place; the last that was mounted there is what is seen. Touches nothing of it. */
async function findMount(at: string): Promise<Mount | undefined> {
  return parseMounts(await readFile("/proc/self/mountinfo", "utf8"), at);
}

/** Reads /proc/self/mountinfo; pure. */
export function parseMounts(text: string, at: string): Mount | undefined {
  const found = text.split("\n").findLast((line) => unescaped(line.split(" ")[4] ?? "") === at);
  const [type = "", source = ""] = found?.split(" - ")[1]?.split(" ") ?? [];
  return found === undefined ? undefined : { type, source: unescaped(source) };
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function isShare(mount: Mount, share: Share): boolean {
  return share.shows.includes(mount.type) && mount.source === share.source;
}

/** In words for people, where mount(8) has few. */
function readable(error: unknown, pool: StoragePool, share: Share): unknown {
  if (!(error instanceof ZorError) || error.reason !== "STORAGE_REFUSED") return error;
  if (/unknown filesystem type/.test(error.message)) {
    const what = `this host cannot mount ${share.type}`;
    return unavailablePool(pool.name, what, `install the package ${share.packageName}; ${share.moduleRemedy}`);
  }
  if (/No such device/.test(error.message)) {
    return unavailablePool(pool.name, `the kernel of the host knows no ${share.type}`, share.moduleRemedy);
  }
  if (/Connection (?:refused|timed out)|No route to host|Network is unreachable/.test(error.message)) {
    return silentStorage({ resource: pool.name, storage: share.storage });
  }
  return error;
}
