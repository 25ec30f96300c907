import { realpathSync } from "node:fs";
import { mkdir, stat, statfs } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import type { DiskQuota } from "../../drivers/disk-quota.js";
import { holdPath } from "../../host/open-exactly.js";
import type { PoolBackend, PoolCapacity, StoragePool, StorageVolume, VolumeSource } from "../pool-backend.js";
import { type AllowedPool, isAllowedDirectory, notAllowed } from "../pool-policy.js";
import { holdDirectory, VolumeFiles } from "../volume-files.js";

/** What the backend works with. */
export interface DirectoryBackendOptions {
  /** State directory of the agent; the pool "default" is below it. */
  readonly state: string;
  readonly policy: readonly AllowedPool[];
  /** What is promised of the file system that the state directory is on. */
  readonly quota: DiskQuota;
}

const field = "pool.spec.directory.path";
const bytesPerMib = 1024n * 1024n;

/** Pools that are directories of the host, with a file for each volume. */
export class DirectoryBackend implements PoolBackend {
  readonly kind = "directory";
  readonly opensAtOnce = true;
  readonly formats = ["qcow2", "raw"] as const;
  readonly #options: DirectoryBackendOptions;
  readonly #files = new VolumeFiles((pool) => this.location(pool));

  constructor(options: DirectoryBackendOptions) {
    this.#options = options;
  }

  async check(spec: PoolSpec): Promise<void> {
    const path = pathOf(spec);
    if (!isAbsolute(path) || normalize(path) !== path || path.endsWith("/") || /[\0-\x1f\x7f]/.test(path)) {
      throw invalidArgument(field, `${quote(path)} is not an absolute path without "." and ".."`);
    }
    // Before anything is looked for there: what exists elsewhere on the host is nobody's business.
    if (!isAllowedDirectory(this.#options.policy, path)) throw notAllowed(field, "directory", path);
    try {
      using held = holdPath(path);
      if ((await stat(held.path)).isDirectory()) return;
    } catch (cause) {
      const remedy = "make the directory on the host first, without links in its path";
      throw invalidArgument(field, `${quote(path)} cannot be had (${messageOf(cause)}); ${remedy}`);
    }
    throw invalidArgument(field, `${quote(path)} is not a directory`);
  }

  async open(pool: StoragePool): Promise<void> {
    if (pathOf(pool.spec) === "") await mkdir(this.location(pool), { recursive: true, mode: 0o700 });
    // A directory that the settings allow no more is let alone.
    else await this.check(pool.spec);
  }

  async close(): Promise<void> {}

  location({ spec }: StoragePool): string {
    const path = pathOf(spec);
    // The state directory may be reached by a link; what is held is without any.
    return path === "" ? join(realpathSync(this.#options.state), "storage") : path;
  }

  async capacity(pool: StoragePool): Promise<PoolCapacity> {
    using held = holdDirectory(this.location(pool), pool.name);
    const { bsize, blocks, bavail } = await statfs(held.path, { bigint: true });
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }

  async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    await this.promise(pool, volume, volume.sizeBytes);
    await this.#files.create(pool, volume);
  }

  async promise(pool: StoragePool, { uid, name }: StorageVolume, sizeBytes: bigint): Promise<void> {
    if (!(await this.#sharesDisk(pool))) return;
    const mib = Number((sizeBytes + bytesPerMib - 1n) / bytesPerMib);
    await this.#options.quota.promise({ uid, resource: name, mib });
  }

  async resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    await this.promise(pool, volume, sizeBytes);
    await this.#files.resize(pool, volume, sizeBytes);
  }

  async remove(pool: StoragePool, volume: StorageVolume): Promise<void> {
    await this.#files.remove(pool, volume);
    await this.#options.quota.release(volume.uid);
  }

  async source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource> {
    return { kind: "file", path: this.#files.pathOf(pool, volume), format: volume.format };
  }

  allocated(pool: StoragePool, volume: StorageVolume): Promise<bigint> {
    return this.#files.allocated(pool, volume);
  }

  /** What is on the disk of the instances counts with theirs. */
  async #sharesDisk(pool: StoragePool): Promise<boolean> {
    using held = holdDirectory(this.location(pool), pool.name);
    const [own, state] = await Promise.all([stat(held.path), stat(this.#options.state)]);
    return own.dev === state.dev;
  }
}

function pathOf({ backend }: PoolSpec): string {
  return backend?.$case === "directory" ? backend.value.path : "";
}
