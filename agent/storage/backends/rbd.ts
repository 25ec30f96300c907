import { readFile, stat } from "node:fs/promises";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import {
  type PoolBackend,
  type PoolCapacity,
  type StoragePool,
  type StorageVolume,
  storageName,
  type VolumeSource,
} from "../pool-backend.js";
import { newSecretId } from "../secret-id.js";
import { type AllowedPool, allowedPlaces, notAllowed } from "../pool-policy.js";
import { type RunTool, runStorageTool, type StorageCommand, strangeOutput } from "../storage-tool.js";
import type { ToolResult } from "../../host/exec.js";
import { unavailablePool } from "../volume-files.js";
import { findKey, parseCephDf, parseRbdInfo } from "./rbd-report.js";
import { toldOf } from "../../host/told.js";

/** Where the cluster and the user's key are written down on every host of Ceph's. */
const etcCeph = "/etc/ceph";
/** rbd(8) when there is no such image. */
const notThere = 2;
const limitSeconds = 10;

/** A pool of a cluster, as who it is reached. */
interface CephPool {
  readonly pool: string;
  /** Without "client.". */
  readonly user: string;
}

/** How the tools and QEMU come to the cluster. */
export interface CephFiles {
  readonly conf: string;
  readonly keyring: string;
}

/** Command lines of Ceph; pure. The key stands in none: the tools read it from its file. */
const cephCommands = {
  usage: (pool: CephPool, files: CephFiles): StorageCommand => ({
    tool: "ceph",
    argv: [...access(pool, files), "--connect-timeout", `${limitSeconds}`, "df", "--format", "json"],
  }),
  info: (pool: CephPool, files: CephFiles, image: string): StorageCommand =>
    rbd(pool, files, ["info", "--format", "json", ...of(pool, image)], [0, notThere]),
  create: (pool: CephPool, files: CephFiles, image: string, sizeBytes: bigint): StorageCommand =>
    rbd(pool, files, ["create", "--size", `${sizeBytes}B`, ...of(pool, image)]),
  resize: (pool: CephPool, files: CephFiles, image: string, sizeBytes: bigint): StorageCommand =>
    rbd(pool, files, ["resize", "--size", `${sizeBytes}B`, "--no-progress", ...of(pool, image)]),
  // Longer than most: it removes the objects one by one.
  remove: (pool: CephPool, files: CephFiles, image: string): StorageCommand => ({
    ...rbd(pool, files, ["rm", "--no-progress", ...of(pool, image)], [0, notThere]),
    timeoutMs: 600_000,
  }),
};

function rbd(pool: CephPool, files: CephFiles, argv: readonly string[], accepted?: readonly number[]): StorageCommand {
  const limits = ["mon", "osd"].map((whom) => `--rados-${whom}-op-timeout=${limitSeconds}`);
  return {
    tool: "rbd",
    argv: [...access(pool, files), ...limits, ...argv],
    ...(accepted === undefined ? {} : { acceptedExitCodes: accepted }),
  };
}

function access({ user }: CephPool, { conf, keyring }: CephFiles): readonly string[] {
  return ["--conf", conf, "--id", user, "--keyring", keyring];
}

function of({ pool }: CephPool, image: string): readonly string[] {
  return ["--pool", pool, "--image", image];
}

/** The node by which QEMU reaches an image; pure. */
function toRbdNode(pool: CephPool, { conf }: CephFiles, image: string, secret: string): Record<string, unknown> {
  return {
    driver: "rbd",
    pool: pool.pool,
    image,
    conf,
    user: pool.user,
    "auth-client-required": ["cephx"],
    "key-secret": secret,
  };
}

/** Pools of Ceph clusters, with an image for each volume. QEMU reaches those itself. */
export class RbdBackend implements PoolBackend {
  readonly kind = "rbd";
  readonly formats = ["raw"] as const;
  readonly #policy: readonly AllowedPool[];
  readonly #run: RunTool;
  readonly #directory: string;

  /** @param options.directory where the cluster and keys are written down; default: as Ceph has it. */
  constructor({
    policy,
    run = runStorageTool,
    directory = etcCeph,
  }: { readonly policy: readonly AllowedPool[]; readonly run?: RunTool; readonly directory?: string }) {
    this.#policy = policy;
    this.#run = run;
    this.#directory = directory;
  }

  async check(spec: PoolSpec): Promise<void> {
    const { pool, user } = partsOf(spec);
    if (!/^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,126}$/.test(pool)) {
      throw invalidArgument("pool.spec.rbd.pool", `${quote(pool)} is not the name of a pool of Ceph`);
    }
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(user)) {
      throw invalidArgument(
        "pool.spec.rbd.user",
        `${quote(user)} is not the name of a user of Ceph, without "client."`,
      );
    }
    if (!allowedPlaces(this.#policy, "rbd").includes(pool)) throw notAllowed("pool.spec.rbd.pool", "rbd", pool);
  }

  async open(pool: StoragePool): Promise<void> {
    await this.check(pool.spec);
    const { conf } = this.#filesOf(pool.spec);
    const found = await stat(conf).catch(() => undefined);
    if (found === undefined) {
      throw unavailablePool(pool.name, "the host has no ceph.conf", `put the cluster's ceph.conf into ${etcCeph}`);
    }
    // QEMU reads it as the user of its machine.
    if ((found.mode & 0o004) === 0) {
      throw unavailablePool(
        pool.name,
        "ceph.conf may not be read by everybody",
        `have it so: chmod a+r ${etcCeph}/ceph.conf`,
      );
    }
    await this.#keyOf(pool);
    await this.capacity(pool);
  }

  async close(): Promise<void> {}

  location({ spec }: StoragePool): string {
    return partsOf(spec).pool;
  }

  async capacity(pool: StoragePool): Promise<PoolCapacity> {
    const parts = partsOf(pool.spec);
    const { stdout } = await this.#execute(pool, cephCommands.usage(parts, this.#filesOf(pool.spec)));
    const found = parseCephDf(stdout, parts.pool);
    if (found !== undefined) return found;
    throw unavailablePool(
      pool.name,
      `the cluster tells of no pool ${quote(parts.pool)}`,
      `make it: ceph osd pool create`,
    );
  }

  async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    await this.remove(pool, volume);
    const image = storageName(volume);
    await this.#execute(
      pool,
      cephCommands.create(partsOf(pool.spec), this.#filesOf(pool.spec), image, volume.sizeBytes),
    );
  }

  async resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    const [parts, files, image] = [partsOf(pool.spec), this.#filesOf(pool.spec), storageName(volume)];
    const { stdout } = await this.#execute(pool, cephCommands.info(parts, files, image));
    const has = parseRbdInfo(stdout);
    if (has === undefined) throw strangeOutput(pool.name, "rbd");
    if (has < sizeBytes) await this.#execute(pool, cephCommands.resize(parts, files, image, sizeBytes));
  }

  async remove(pool: StoragePool, volume: StorageVolume): Promise<void> {
    const [parts, files, image] = [partsOf(pool.spec), this.#filesOf(pool.spec), storageName(volume)];
    const { exitCode, stderr } = await this.#execute(pool, cephCommands.info(parts, files, image));
    if (exitCode !== notThere) await this.#execute(pool, cephCommands.remove(parts, files, image));
    // A pool that is not there has the same code, and may come back.
    else if (!/error opening image/.test(stderr)) {
      throw unavailablePool(
        pool.name,
        `the cluster has no pool ${quote(parts.pool)}`,
        "bring it back, or forget the pool",
      );
    }
  }

  async source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource> {
    const secret = newSecretId(volume);
    return {
      kind: "remote",
      node: toRbdNode(partsOf(pool.spec), this.#filesOf(pool.spec), storageName(volume), secret),
      secrets: [{ id: secret, data: await this.#keyOf(pool), format: "base64" }],
    };
  }

  #filesOf(spec: PoolSpec): CephFiles {
    const { user } = partsOf(spec);
    return { conf: `${this.#directory}/ceph.conf`, keyring: `${this.#directory}/ceph.client.${user}.keyring` };
  }

  async #keyOf(pool: StoragePool): Promise<string> {
    const { user } = partsOf(pool.spec);
    const { keyring } = this.#filesOf(pool.spec);
    const remedy = `put the key of client.${user} into ${etcCeph}/ceph.client.${user}.keyring`;
    const text = await readFile(keyring, "utf8").catch((error: unknown) => {
      throw unavailablePool(pool.name, `the key of its user cannot be read (${toldOf(error)})`, remedy);
    });
    const key = findKey(text, user);
    if (key === undefined) throw unavailablePool(pool.name, "the keyring of its user has no key of it", remedy);
    return key;
  }

  async #execute(pool: StoragePool, command: StorageCommand): Promise<ToolResult> {
    const storage = `the Ceph cluster of pool ${partsOf(pool.spec).pool}`;
    return await this.#run(command, { resource: pool.name, packageName: "ceph-common", storage });
  }
}

function partsOf({ backend }: PoolSpec): CephPool {
  if (backend?.$case !== "rbd") throw new Error("a pool of another kind has come to Ceph");
  const { pool, user } = backend.value;
  return { pool, user: user === "" ? "admin" : user };
}
