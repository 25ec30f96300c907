import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, type ZorError } from "../../lib/errors.js";
import { ToolError } from "../host/exec.js";
import { type HeldPath, holdPath, holdPathAside, openHeld } from "../host/open-exactly.js";
import { imageUser, runSandboxed } from "../images/sandboxed-tool.js";
import { emptyQcow2 } from "./empty-qcow2.js";
import { openVolumeFile } from "./open-volume.js";
import { type StoragePool, type StorageVolume, storageName } from "./pool-backend.js";
import { toldOf } from "../host/told.js";

/** Name of a volume's file. */
export function fileNameOf(volume: Pick<StorageVolume, "uid" | "format">): string {
  return `${storageName(volume)}.${volume.format}`;
}

/**
 * Volumes that are files in a directory. The directory is held, through no link, while something is done in it: whoever may rename what is
 * above it leads nothing elsewhere.
 */
export class VolumeFiles {
  readonly #directoryOf: (pool: StoragePool) => string;

  /** @param directoryOf absolute path of a pool's directory, without links. */
  constructor(directoryOf: (pool: StoragePool) => string) {
    this.#directoryOf = directoryOf;
  }

  pathOf(pool: StoragePool, volume: StorageVolume): string {
    return join(this.#directoryOf(pool), fileNameOf(volume));
  }

  /** Makes the file of an empty volume; another one by its name is replaced. Durable when it resolves. */
  async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    await using directory = await this.#hold(pool);
    const [path, scratch] = [
      join(directory.path, fileNameOf(volume)),
      join(directory.path, `${storageName(volume)}.new`),
    ];
    await rm(scratch, { force: true });
    try {
      await using file = await open(scratch, "wx", 0o600);
      if (volume.format === "raw") await file.truncate(Number(volume.sizeBytes));
      else await file.writeFile(emptyQcow2(volume.sizeBytes));
      await file.sync();
      await rename(scratch, path);
    } catch (error) {
      await rm(scratch, { force: true });
      throw error;
    }
    await syncHeld(directory);
  }

  /** Grows the file of a volume that nothing runs on. */
  async resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    await using file = await this.open(pool, volume);
    if (volume.format === "raw") {
      const { size } = await file.stat();
      if (BigInt(size) < sizeBytes) await file.truncate(Number(sizeBytes));
    } else await resizeQcow2(file, sizeBytes);
    await file.sync();
  }

  /** Removes what there is of a volume. Idempotent. */
  async remove(pool: StoragePool, volume: StorageVolume): Promise<void> {
    await using directory = await this.#hold(pool);
    for (const suffix of ["raw", "qcow2", "new"])
      await rm(join(directory.path, `${storageName(volume)}.${suffix}`), { force: true });
    await syncHeld(directory);
  }

  /** The file of a volume, open and looked at. @throws {ZorError} when it is not what it should be. */
  open(pool: StoragePool, volume: StorageVolume): Promise<FileHandle> {
    return openVolumeFile(this.pathOf(pool, volume), volume);
  }

  async allocated(pool: StoragePool, volume: StorageVolume): Promise<bigint> {
    await using directory = await this.#hold(pool);
    // Whoever writes to the storage may have put a link there.
    const { blocks } = await lstat(join(directory.path, fileNameOf(volume)));
    return BigInt(blocks) * 512n;
  }

  async #hold(pool: StoragePool): ReturnType<typeof holdPathAside> {
    return await holdPathAside(this.#directoryOf(pool)).catch((cause: unknown) => {
      throw withoutDirectory(pool.name, cause);
    });
  }
}

/** Holds a pool's directory. @throws {ZorError} FAILED_PRECONDITION when it is not there any more, or a link leads to it. */
export function holdDirectory(path: string, pool: string): HeldPath {
  try {
    return holdPath(path);
  } catch (cause) {
    throw withoutDirectory(pool, cause);
  }
}

function withoutDirectory(pool: string, cause: unknown): ZorError {
  const why = `its directory cannot be had (${toldOf(cause)})`;
  return unavailablePool(pool, why, "bring it back, without links in its path");
}

/** That the storage of a pool cannot be had now. */
export function unavailablePool(pool: string, why: string, remedy: string): ZorError {
  return failedPrecondition("POOL_UNAVAILABLE", pool, `${pool}: ${why}; ${remedy}`);
}

async function syncHeld(directory: Pick<HeldPath, "path">): Promise<void> {
  await using handle = await openHeld(directory);
  await handle.sync();
}

/** The header was looked at, so that the tools follow nothing; they have the file alone and may open nothing else. */
async function resizeQcow2(file: FileHandle, sizeBytes: bigint): Promise<void> {
  const { uid, gid } = await file.stat();
  await file.chown(imageUser, imageUser);
  const resize = () => runOn(file, ["resize", "-q", "-f", "qcow2", place, `${sizeBytes}`], sizeBytes);
  try {
    try {
      await resize();
    } catch (error) {
      // One that a crash has left is of no use, and nothing is made larger that has one.
      if (!(error instanceof ToolError) || !/bitmap/i.test(error.stderrTail)) throw error;
      const told = await runOn(file, ["info", "-f", "qcow2", "--output=json", place], sizeBytes);
      const names = [...told.matchAll(/"name": "(zor-since-[\w-]{1,64})"/g)].map(([, name = ""]) => name);
      for (const name of names) await runOn(file, ["bitmap", "--remove", "-f", "qcow2", place, name], sizeBytes);
      await resize();
    }
  } finally {
    await file.chown(uid, gid);
  }
}

/** Where a tool has its file. */
const place = "/proc/self/fd/3";
const maxAnswerLength = 256 * 1024;

/** Runs qemu-img on a file. Resolves to what it says. @throws {ToolError} */
async function runOn(file: FileHandle, argv: readonly string[], sizeBytes: bigint): Promise<string> {
  let said = "";
  await runSandboxed({
    ...{ tool: "qemu-img", argv, files: [file.fd] },
    maxFileBytes: Number(sizeBytes) + 2 ** 30,
    signal: new AbortController().signal,
    onOutput: (data) => {
      if (said.length < maxAnswerLength) said += data.toString("utf8");
    },
  });
  return said;
}
