import { access } from "node:fs/promises";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { LvmThinPool, PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import {
  type PoolBackend,
  type PoolCapacity,
  type StoragePool,
  type StorageVolume,
  storageName,
  type VolumeSource,
} from "../pool-backend.js";
import { type AllowedPool, allowedPlaces, notAllowed } from "../pool-policy.js";
import { type RunTool, runStorageTool, type StorageCommand, strangeOutput } from "../storage-tool.js";
import { unavailablePool } from "../volume-files.js";
import { type LogicalVolume, lvsColumns, parseLvs } from "./lvm-report.js";

/** Marks what this program has made: nothing else is grown or removed. */
const tag = "zor";
const deviceMapper = "/sys/class/misc/device-mapper";
/** lvm(8), "VALID NAMES". */
const namePattern = /^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}$/;

/** Command lines of LVM; pure. */
const lvmCommands = {
  /** Tells of one logical volume. One that is not there is an empty list; a group that is not there is an error. */
  find: ({ volumeGroup }: LvmThinPool, name: string): StorageCommand =>
    lvm("lvs", [
      ...["--reportformat", "json", "--units", "b", "--nosuffix", "--options", lvsColumns],
      ...["--select", `lv_name=${name}`, volumeGroup],
    ]),
  /** A thin volume begins with zeroes: there is no signature to ask about. */
  create: ({ volumeGroup, thinPool }: LvmThinPool, name: string, sizeBytes: bigint): StorageCommand =>
    lvm("lvcreate", [
      ...["--yes", "--wipesignatures", "n", "--type", "thin", "--virtualsize", `${sizeBytes}b`],
      ...["--thinpool", thinPool, "--name", name, "--addtag", tag, "--setactivationskip", "n", volumeGroup],
    ]),
  extend: ({ volumeGroup }: LvmThinPool, name: string, sizeBytes: bigint): StorageCommand =>
    lvm("lvextend", ["--size", `${sizeBytes}b`, `${volumeGroup}/${name}`]),
  activate: ({ volumeGroup }: LvmThinPool, name: string): StorageCommand =>
    lvm("lvchange", ["--activate", "y", "--ignoreactivationskip", `${volumeGroup}/${name}`]),
  remove: ({ volumeGroup }: LvmThinPool, name: string): StorageCommand =>
    lvm("lvremove", ["--yes", `${volumeGroup}/${name}`]),
};

function lvm(tool: string, argv: readonly string[]): StorageCommand {
  // It tells of every descriptor that it inherits.
  return { tool, argv, env: { LVM_SUPPRESS_FD_WARNINGS: "1" } };
}

/** Pools that are thin pools of LVM, with a thin logical volume for each volume. */
export class LvmThinBackend implements PoolBackend {
  readonly kind = "lvmThin";
  readonly formats = ["raw"] as const;
  readonly #policy: readonly AllowedPool[];
  readonly #run: RunTool;

  constructor({ policy, run = runStorageTool }: { readonly policy: readonly AllowedPool[]; readonly run?: RunTool }) {
    this.#policy = policy;
    this.#run = run;
  }

  async check(spec: PoolSpec): Promise<void> {
    const { volumeGroup, thinPool } = partsOf(spec);
    for (const [field, name] of [
      ["volume_group", volumeGroup],
      ["thin_pool", thinPool],
    ] as const) {
      if (namePattern.test(name)) continue;
      throw invalidArgument(`pool.spec.lvm_thin.${field}`, `${quote(name)} is not a name that LVM knows`);
    }
    if (allowedPlaces(this.#policy, "volumeGroup").includes(volumeGroup)) return;
    throw notAllowed("pool.spec.lvm_thin.volume_group", "volumeGroup", volumeGroup);
  }

  async open(pool: StoragePool): Promise<void> {
    await this.check(pool.spec);
    await access(deviceMapper).catch(() => {
      // Without it the tools say six things at once.
      const remedy = "load it with: modprobe dm_thin_pool";
      throw unavailablePool(pool.name, "the kernel of the host has no device mapper", remedy);
    });
    await this.#getPool(pool);
  }

  async close(): Promise<void> {}

  location({ spec }: StoragePool): string {
    const { volumeGroup, thinPool } = partsOf(spec);
    return `${volumeGroup}/${thinPool}`;
  }

  async capacity(pool: StoragePool): Promise<PoolCapacity> {
    const { sizeBytes, dataPercent } = await this.#getPool(pool);
    const taken = (sizeBytes * BigInt(Math.round(dataPercent * 10_000))) / 1_000_000n;
    return { totalBytes: sizeBytes, freeBytes: sizeBytes - taken };
  }

  async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    await this.remove(pool, volume);
    await this.#execute(pool, lvmCommands.create(partsOf(pool.spec), storageName(volume), volume.sizeBytes));
  }

  async resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    const { name, sizeBytes: has } = await this.#getOwn(pool, volume);
    // LVM rounds up to whole extents, and calls it an error when nothing is to be done.
    if (has < sizeBytes) await this.#execute(pool, lvmCommands.extend(partsOf(pool.spec), name, sizeBytes));
  }

  resizeBelow(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    return this.resize(pool, volume, sizeBytes);
  }

  async remove(pool: StoragePool, volume: StorageVolume): Promise<void> {
    const found = await this.#find(pool, storageName(volume));
    if (found === undefined) return;
    assertOwn(found, pool, volume);
    await this.#execute(pool, lvmCommands.remove(partsOf(pool.spec), found.name));
  }

  async source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource> {
    const parts = partsOf(pool.spec);
    const { name, isActive } = await this.#getOwn(pool, volume);
    if (!isActive) await this.#execute(pool, lvmCommands.activate(parts, name));
    return { kind: "device", path: `/dev/${parts.volumeGroup}/${name}` };
  }

  async allocated(pool: StoragePool, volume: StorageVolume): Promise<bigint> {
    const { sizeBytes, dataPercent } = await this.#getOwn(pool, volume);
    return (sizeBytes * BigInt(Math.round(dataPercent * 10_000))) / 1_000_000n;
  }

  async #getPool(pool: StoragePool): Promise<LogicalVolume> {
    const where = this.location(pool);
    const found = await this.#find(pool, partsOf(pool.spec).thinPool);
    if (found?.type !== "thin-pool") {
      const what = found === undefined ? `there is no ${where}` : `${where} is no thin pool (${quote(found.type)})`;
      throw unavailablePool(pool.name, what, "make it with: lvcreate --type thin-pool -l 100%FREE -n POOL GROUP");
    }
    if (found.isZeroing) return found;
    const what = `${where} hands out blocks with what was in them before`;
    throw unavailablePool(pool.name, what, `have it zero them: lvchange --zero y ${where}`);
  }

  async #getOwn(pool: StoragePool, volume: StorageVolume): Promise<LogicalVolume> {
    const found = await this.#find(pool, storageName(volume));
    if (found === undefined) {
      const what = `its logical volume ${storageName(volume)} is not in ${this.location(pool)} any more`;
      throw failedPrecondition(
        "VOLUME_LOST",
        volume.name,
        `${volume.name}: ${what}; bring it back, or delete the volume`,
      );
    }
    assertOwn(found, pool, volume);
    return found;
  }

  async #find(pool: StoragePool, name: string): Promise<LogicalVolume | undefined> {
    const { stdout } = await this.#execute(pool, lvmCommands.find(partsOf(pool.spec), name));
    const found = parseLvs(stdout);
    if (found === undefined) throw strangeOutput(pool.name, "lvs");
    return found.find((volume) => volume.name === name);
  }

  async #execute(pool: StoragePool, command: StorageCommand): Promise<{ readonly stdout: string }> {
    const storage = `the volume group ${partsOf(pool.spec).volumeGroup}`;
    return await this.#run(command, { resource: pool.name, packageName: "lvm2", storage });
  }
}

/** By its name alone it might be anybody's. */
function assertOwn({ name, tags, pool, type }: LogicalVolume, { spec }: StoragePool, volume: StorageVolume): void {
  if (tags.includes(tag) && pool === partsOf(spec).thinPool && type === "thin") return;
  const what = `the logical volume ${name} is not what the agent made`;
  throw failedPrecondition("VOLUME_FOREIGN", volume.name, `${volume.name}: ${what}; look at it with: lvs -o +tags`);
}

function partsOf({ backend }: PoolSpec): LvmThinPool {
  if (backend?.$case !== "lvmThin") throw new Error("a pool of another kind has come to LVM");
  return backend.value;
}
