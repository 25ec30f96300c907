import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { GlusterPool, PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import { holdPathAside } from "../../host/open-exactly.js";
import type { Share } from "../mounted-share.js";
import type { PoolBackend, StoragePool, StorageVolume, VolumeSource } from "../pool-backend.js";
import { type AllowedPool, allowedPlaces, notAllowed } from "../pool-policy.js";
import { SharedFiles, type SharedFilesOptions } from "../shared-files.js";
import { fileNameOf } from "../volume-files.js";
import { bracketed, checkServer } from "./server-name.js";

/** Port of glusterd. */
const managementPort = "24007";
/** Files of volumes are in a directory that cannot be listed. */
const folder = "zor";

/** What a pool's share is to mount(8); pure. */
export function toGlusterShare(spec: PoolSpec): Share {
  const { server, volume } = partsOf(spec);
  return {
    type: "glusterfs",
    shows: ["fuse.glusterfs"],
    source: `${bracketed(server)}:/${volume}`,
    options: ["nosuid", "nodev", "noexec", "log-level=ERROR"],
    storage: `the volume ${volume} of the GlusterFS server ${server}`,
    packageName: "glusterfs-client",
    moduleRemedy: "load the module of FUSE with: modprobe fuse",
  };
}

/** The node by which QEMU reaches a volume; pure. */
export function toGlusterNode(spec: PoolSpec, volume: Pick<StorageVolume, "uid" | "format">): Record<string, unknown> {
  const { server, volume: name } = partsOf(spec);
  return {
    driver: "gluster",
    volume: name,
    path: `${folder}/${fileNameOf(volume)}`,
    server: [{ type: "inet", host: server, port: managementPort }],
  };
}

/**
 * Pools that are volumes of GlusterFS, with a file for each volume. QEMU reaches those itself; the agent makes and deletes them through a
 * mount of its own, since QEMU cannot delete any.
 */
export class GlusterBackend extends SharedFiles implements PoolBackend {
  readonly kind = "gluster";
  readonly formats = ["raw"] as const;
  readonly #policy: readonly AllowedPool[];

  constructor({
    policy,
    ...options
  }: Pick<SharedFilesOptions, "state" | "run"> & { readonly policy: readonly AllowedPool[] }) {
    super({ ...options, folder: folder, shareOf: ({ spec }) => toGlusterShare(spec) });
    this.#policy = policy;
  }

  async check(spec: PoolSpec): Promise<void> {
    const { server, volume } = partsOf(spec);
    checkServer("pool.spec.gluster.server", server);
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]{0,126}$/.test(volume)) {
      throw invalidArgument("pool.spec.gluster.volume", `${quote(volume)} is not the name of a volume of GlusterFS`);
    }
    const place = `${server}/${volume}`;
    if (allowedPlaces(this.#policy, "gluster").includes(place)) return;
    throw notAllowed("pool.spec.gluster", "gluster", place);
  }

  async open(pool: StoragePool): Promise<void> {
    await this.check(pool.spec);
    await this.share.open(pool);
    await this.share.use(pool, async () => {
      await using root = await holdPathAside(this.share.directoryOf(pool));
      await mkdir(join(root.path, folder), { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    });
  }

  override async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    await this.share.use(pool, async () => {
      await this.files.create(pool, volume);
      // Each machine's QEMU comes as a user of its own; who does not know the name, which nobody can list, finds nothing.
      await using file = await this.files.open(pool, volume);
      await file.chmod(0o666);
    });
  }

  async source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource> {
    return { kind: "remote", node: toGlusterNode(pool.spec, volume) };
  }
}

function partsOf({ backend }: PoolSpec): GlusterPool {
  if (backend?.$case !== "gluster") throw new Error("a pool of another kind has come to GlusterFS");
  return backend.value;
}
