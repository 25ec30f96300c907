import { readFile } from "node:fs/promises";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { parseHostPort } from "../../../lib/socket-address.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import type { VolumeSecret } from "../../drivers/abilities/volumes.js";
import type { BlockEngine } from "../../drivers/qemu/blocks/block-engine.js";
import { overwriteWithZeroes } from "../../drivers/qemu/blocks/copy-volume.js";
import { addVolume, nodeBytes } from "../../drivers/qemu/blocks/volume-node.js";
import { type BlockWork, workWithBlocks } from "../block-work.js";
import type { PoolBackend, PoolCapacity, StoragePool, StorageVolume, VolumeSource } from "../pool-backend.js";
import { type AllowedPool, type AllowedTarget, findTarget } from "../pool-policy.js";
import { newSecretId } from "../secret-id.js";
import { unavailablePool } from "../volume-files.js";
import { IscsiUnits, type Target, type Unit } from "./iscsi-units.js";
import { toldOf } from "../../host/told.js";

/** Seconds that a target has to answer, after which QEMU tells the guest of an error (0 would be for ever). */
const timeoutSeconds = 15;
const defaultInitiator = "iqn.2008-11.org.linux-kvm:zorhub";

/** What backends of iSCSI are made with. */
export interface IscsiBackendOptions {
  /** State directory of the agent. */
  readonly state: string;
  readonly policy: readonly AllowedPool[];
  readonly work?: BlockWork;
}

/** The node by which QEMU reaches a logical unit; pure. @param secret name of the object with the password. */
export function toIscsiNode(allowed: AllowedTarget, lun: number, secret: string): Record<string, unknown> {
  const { iscsi: portal, target, user, initiator = defaultInitiator } = allowed;
  const login = user === undefined ? {} : { user, "password-secret": secret };
  return {
    ...{ driver: "iscsi", transport: "tcp", portal, target, lun },
    ...{ "initiator-name": initiator, timeout: timeoutSeconds, ...login },
  };
}

/**
 * Pools that are targets of iSCSI portals. An initiator can make no logical units: volumes take those that the agent's settings name, one
 * each, and show no more of it to the guest than they are large. QEMU reaches them itself.
 */
export class IscsiBackend implements PoolBackend {
  readonly kind = "iscsi";
  readonly formats = ["raw"] as const;
  readonly #options: IscsiBackendOptions;
  readonly #units: IscsiUnits;
  readonly #work: BlockWork;
  /** Logical units as they were when the pool was opened, by location. */
  readonly #known = new Map<string, readonly Unit[]>();

  constructor(options: IscsiBackendOptions) {
    this.#options = options;
    this.#units = new IscsiUnits(options.state);
    this.#work = options.work ?? workWithBlocks;
  }

  async check(spec: PoolSpec): Promise<void> {
    const { portal, target } = partsOf(spec);
    if (parseHostPort(portal) === undefined) {
      throw invalidArgument(
        "pool.spec.iscsi.portal",
        `${quote(portal)} is not an address and port such as "10.0.0.1:3260"`,
      );
    }
    if (!/^(iqn|eui|naa)\.[A-Za-z0-9:._-]{1,220}$/.test(target)) {
      const example = "iqn.2001-04.com.example:storage";
      throw invalidArgument(
        "pool.spec.iscsi.target",
        `${quote(target)} is not the name of a target such as "${example}"`,
      );
    }
    this.#allowed(spec);
  }

  async open(pool: StoragePool): Promise<void> {
    await this.check(pool.spec);
    const allowed = this.#allowed(pool.spec);
    const units = await this.#onUnits(pool, async (engine) => {
      const found: Unit[] = [];
      for (const lun of allowed.luns) {
        await using unit = await this.#addUnit(engine, pool, lun);
        found.push({ lun, sizeBytes: unit.sizeBytes });
      }
      return found;
    });
    this.#known.set(this.location(pool), units);
  }

  async close(): Promise<void> {}

  location({ spec }: StoragePool): string {
    const { portal, target } = partsOf(spec);
    return `${portal}/${target}`;
  }

  async capacity(pool: StoragePool): Promise<PoolCapacity> {
    const taken = await this.#units.taken(partsOf(pool.spec));
    const units = await this.#unitsOf(pool);
    const sum = (list: readonly Unit[]): bigint => list.reduce((total, { sizeBytes }) => total + sizeBytes, 0n);
    return { totalBytes: sum(units), freeBytes: sum(units.filter(({ lun }) => !taken.has(lun))) };
  }

  async create(pool: StoragePool, volume: StorageVolume): Promise<void> {
    const { uid, sizeBytes, name: resource } = volume;
    const units = await this.#unitsOf(pool);
    const { lun } = await this.#units.take(partsOf(pool.spec), { uid, sizeBytes, resource }, units);
    await this.#onUnits(pool, async (engine) => {
      // What another volume has left there is nobody's to read.
      await using unit = await this.#addUnit(engine, pool, lun);
      await overwriteWithZeroes(engine, unit.nodeName, { resource, signal: uninterrupted, sizeBytes: unit.sizeBytes });
    });
  }

  async resize(pool: StoragePool, volume: StorageVolume, sizeBytes: bigint): Promise<void> {
    const lun = await this.#lunOf(pool, volume);
    const found = (await this.#unitsOf(pool)).find((unit) => unit.lun === lun);
    if (found !== undefined && found.sizeBytes >= sizeBytes) return;
    const why = `its logical unit ${lun} has ${found?.sizeBytes ?? 0n} bytes`;
    throw failedPrecondition(
      "UNIT_TOO_SMALL",
      volume.name,
      `${volume.name}: ${why}; enlarge it at the target, or move the volume`,
    );
  }

  async resizeBelow(_pool: StoragePool, { name }: StorageVolume): Promise<void> {
    const why = "a volume on iSCSI cannot grow while a machine runs on it";
    throw failedPrecondition("CANNOT_GROW", name, `${name}: ${why}; stop the machine first`);
  }

  async remove(pool: StoragePool, { uid }: StorageVolume): Promise<void> {
    await this.#units.give(partsOf(pool.spec), uid);
  }

  async source(pool: StoragePool, volume: StorageVolume): Promise<VolumeSource> {
    const lun = await this.#lunOf(pool, volume);
    const { node, secrets } = await this.#dial(pool, lun);
    // The guest sees what was asked for, which the unit may be larger than.
    return { kind: "remote", node: { driver: "raw", size: Number(volume.sizeBytes), file: node }, secrets };
  }

  async #lunOf(pool: StoragePool, { uid, name }: StorageVolume): Promise<number> {
    const lun = await this.#units.find(partsOf(pool.spec), uid);
    if (lun !== undefined) return lun;
    throw failedPrecondition("VOLUME_LOST", name, `${name}: it has no logical unit any more; delete the volume`);
  }

  async #unitsOf(pool: StoragePool): Promise<readonly Unit[]> {
    const known = this.#known.get(this.location(pool));
    if (known === undefined) await this.open(pool);
    return this.#known.get(this.location(pool)) ?? [];
  }

  #onUnits<T>({ name }: StoragePool, work: (engine: BlockEngine) => Promise<T>): Promise<T> {
    return this.#work({ state: this.#options.state, resource: name, network: true }, work);
  }

  async #addUnit(
    engine: BlockEngine,
    pool: StoragePool,
    lun: number,
  ): Promise<AsyncDisposable & { readonly nodeName: string; readonly sizeBytes: bigint }> {
    const { node, secrets } = await this.#dial(pool, lun);
    const volume = { kind: "remote", node, secrets } as const;
    const nodeName = `lun${lun}`;
    const added = await addVolume(engine, volume, { resource: pool.name, nodeName });
    return {
      nodeName,
      sizeBytes: await nodeBytes(engine, nodeName),
      [Symbol.asyncDispose]: () => added.remove(),
    };
  }

  async #dial(
    pool: StoragePool,
    lun: number,
  ): Promise<{ readonly node: Record<string, unknown>; readonly secrets: readonly VolumeSecret[] }> {
    const allowed = this.#allowed(pool.spec);
    const id = newSecretId({ uid: `lun-${lun}` });
    const node = toIscsiNode(allowed, lun, id);
    if (allowed.passwordFile === undefined) return { node, secrets: [] };
    const data = await readFile(allowed.passwordFile, "utf8").catch((error: unknown) => {
      const what = `the password for its target cannot be read (${toldOf(error)})`;
      throw unavailablePool(pool.name, what, "look at passwordFile in the agent's settings");
    });
    return { node, secrets: [{ id, data: data.replace(/\r?\n$/, "") }] };
  }

  #allowed(spec: PoolSpec): AllowedTarget {
    const { portal, target } = partsOf(spec);
    const allowed = findTarget(this.#options.policy, portal, target);
    if (allowed !== undefined) return allowed;
    const entry = `- {iscsi: ${quote(portal)}, target: ${quote(target)}, luns: [1]}`;
    throw invalidArgument(
      "pool.spec.iscsi",
      `${quote(target)} at ${quote(portal)} is nothing that pools may be made of on this host; add ${entry} with the logical units that volumes may overwrite to storagePools in the agent's settings, and restart the agent`,
    );
  }
}

function partsOf({ backend }: PoolSpec): Target {
  if (backend?.$case !== "iscsi") throw new Error("a pool of another kind has come to iSCSI");
  return backend.value;
}
