import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { NfsPool, PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import type { Share } from "../mounted-share.js";
import type { PoolBackend, StoragePool, StorageVolume, VolumeSource } from "../pool-backend.js";
import { type AllowedPool, allowedPlaces, notAllowed } from "../pool-policy.js";
import { SharedFiles, type SharedFilesOptions } from "../shared-files.js";
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
export class NfsBackend extends SharedFiles implements PoolBackend {
  readonly kind = "nfs";
  readonly formats = ["qcow2", "raw"] as const;
  readonly #policy: readonly AllowedPool[];

  constructor({
    policy,
    ...options
  }: Pick<SharedFilesOptions, "state" | "run"> & { readonly policy: readonly AllowedPool[] }) {
    super({ ...options, folder: "", shareOf: ({ spec }) => toNfsShare(spec) });
    this.#policy = policy;
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
    await this.share.open(pool);
  }

  async source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource> {
    await this.share.look(pool);
    return { kind: "file", path: this.files.pathOf(pool, volume), format: volume.format, ofServer: true };
  }
}

function partsOf({ backend }: PoolSpec): NfsPool {
  if (backend?.$case !== "nfs") throw new Error("a pool of another kind has come to NFS");
  return backend.value;
}
