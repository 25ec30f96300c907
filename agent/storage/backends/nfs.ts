import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { NfsPool, PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import { MountedShare, type Share } from "../mounted-share.js";
import type { PoolBackend, PoolCapacity, StoragePool, StorageVolume, VolumeSource } from "../pool-backend.js";
import { type AllowedPool, allowedPlaces, notAllowed } from "../pool-policy.js";
import { type RunTool, runStorageTool } from "../storage-tool.js";
import { VolumeFiles } from "../volume-files.js";
import { bracketed, checkServer } from "./server-name.js";

/**
 * Half a minute without an answer is an error to whoever waits (nfs(5), softerr, timeo in tenths of a second, retrans), as from a disk that
 * fails; with "hard" the agent and its guests would stand still until somebody repairs the server. Nothing on the share is run, or opened
 * as a device.
 */
const mountOptions = ["nosuid", "nodev", "noexec", "softerr", "timeo=100", "retrans=2", "retry=0"];

/** What a pool's share is to mount(8); pure. */
export function toNfsShare(spec: PoolSpec): Share {
  const { server, export: path } = partsOf(spec);
  return {
    type: "nfs",
    shows: ["nfs", "nfs4"],
    source: `${bracketed(server)}:${path}`,
    options: mountOptions,
    storage: `the NFS server ${server}`,
    packageName: "nfs-common",
    moduleRemedy: "load its module with: modprobe nfs",
  };
}

/** Pools that are directories of NFS servers, with a file for each volume. */
export class NfsBackend implements PoolBackend {
  readonly kind = "nfs";
  readonly formats = ["qcow2", "raw"] as const;
  readonly #policy: readonly AllowedPool[];
  readonly #share: MountedShare;
  readonly #files: VolumeFiles;

  constructor({
    state,
    policy,
    run = runStorageTool,
  }: { readonly state: string; readonly policy: readonly AllowedPool[]; readonly run?: RunTool }) {
    this.#policy = policy;
    this.#share = new MountedShare({ state, run, shareOf: ({ spec }) => toNfsShare(spec) });
    this.#files = new VolumeFiles((pool) => this.#share.directoryOf(pool));
  }

  async check(spec: PoolSpec): Promise<void> {
    const { server, export: path } = partsOf(spec);
    checkServer("pool.spec.nfs.server", server);
    if (!/^\/[\x21-\x7e]{0,1000}$/.test(path) || /,|\\|(^|\/)\.\.?(\/|$)/.test(path)) {
      throw invalidArgument("pool.spec.nfs.export", `${quote(path)} is not an absolute path such as "/export/lab"`);
    }
    const place = `${server}:${path}`;
    if (!allowedPlaces(this.#policy, "nfs").includes(place)) throw notAllowed("pool.spec.nfs", "nfs", place);
  }

  async open(pool: StoragePool): Promise<void> {
    await this.check(pool.spec);
    await this.#share.open(pool);
  }

  close(pool: StoragePool): Promise<void> {
    return this.#share.close(pool);
  }

  location({ spec }: StoragePool): string {
    return toNfsShare(spec).source;
  }

  capacity(pool: StoragePool): Promise<PoolCapacity> {
    return this.#share.look(pool);
  }

  async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    return await this.#share.use(pool, () => this.#files.create(pool, volume));
  }

  async resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    return await this.#share.use(pool, () => this.#files.resize(pool, volume, sizeBytes));
  }

  async remove(pool: StoragePool, volume: StorageVolume): Promise<void> {
    return await this.#share.use(pool, () => this.#files.remove(pool, volume));
  }

  async source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource> {
    await this.#share.look(pool);
    return { kind: "file", path: this.#files.pathOf(pool, volume), format: volume.format, ofServer: true };
  }

  async allocated(pool: StoragePool, volume: StorageVolume): Promise<bigint> {
    return await this.#share.use(pool, () => this.#files.allocated(pool, volume));
  }
}

function partsOf({ backend }: PoolSpec): NfsPool {
  if (backend?.$case !== "nfs") throw new Error("a pool of another kind has come to NFS");
  return backend.value;
}
