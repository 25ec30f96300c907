import { join } from "node:path";
import { MountedShare, type Share } from "./mounted-share.js";
import type { PoolCapacity, StoragePool, StorageVolume } from "./pool-backend.js";
import { type RunTool, runStorageTool } from "./storage-tool.js";
import { VolumeFiles } from "./volume-files.js";

/** What shares with files of volumes are used with. */
export interface SharedFilesOptions {
  /** State directory of the agent. */
  readonly state: string;
  readonly run?: RunTool;
  readonly shareOf: (pool: StoragePool) => Share;
  /** Directory of the share that the files are in; "": the share itself. */
  readonly folder: string;
}

/** Files of volumes on mounted shares: each use waits for the share, and goes through what bounds that. */
export class SharedFiles {
  readonly share: MountedShare;
  readonly files: VolumeFiles;
  readonly #shareOf: (pool: StoragePool) => Share;

  constructor({ state, run = runStorageTool, shareOf, folder }: SharedFilesOptions) {
    this.#shareOf = shareOf;
    this.share = new MountedShare({ state, run, shareOf });
    this.files = new VolumeFiles((pool) => join(this.share.directoryOf(pool), folder));
  }

  close(pool: StoragePool): Promise<void> {
    return this.share.close(pool);
  }

  location(pool: StoragePool): string {
    return this.#shareOf(pool).source;
  }

  capacity(pool: StoragePool): Promise<PoolCapacity> {
    return this.share.look(pool);
  }

  async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    return await this.share.use(pool, () => this.files.create(pool, volume));
  }

  async resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    return await this.share.use(pool, () => this.files.resize(pool, volume, sizeBytes));
  }

  async remove(pool: StoragePool, volume: StorageVolume): Promise<void> {
    return await this.share.use(pool, () => this.files.remove(pool, volume));
  }

  async allocated(pool: StoragePool, volume: StorageVolume): Promise<bigint> {
    return await this.share.use(pool, () => this.files.allocated(pool, volume));
  }
}
