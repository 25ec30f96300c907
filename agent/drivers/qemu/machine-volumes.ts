import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { UsesVolumes, VolumeAccess } from "../abilities/volumes.js";
import type { DriverInstance } from "../driver-instance.js";
import { isVolume } from "./disks.js";
import { findRunningDisk, mirrorDisk } from "./blocks/move-volume.js";
import { toNodeOptions } from "./hardware/disk-nodes.js";
import { diskName } from "./ids.js";
import { resizeDisk } from "./live/disks.js";
import type { LiveMachine } from "./live/live-machine.js";
import { qemuOptionsOf } from "./options.js";

const bytesPerMib = 1024n * 1024n;

/** Volumes as disks of machines. */
export class MachineVolumes implements UsesVolumes {
  readonly #machineOf: (instance: DriverInstance) => LiveMachine;
  #access: VolumeAccess | undefined;

  /** @param machineOf @throws {ZorError} FAILED_PRECONDITION when it does not run. */
  constructor(machineOf: (instance: DriverInstance) => LiveMachine) {
    this.#machineOf = machineOf;
  }

  /** Undefined: the host has none. */
  get access(): VolumeAccess | undefined {
    return this.#access;
  }

  giveVolumes(access: VolumeAccess): void {
    this.#access = access;
  }

  volumesOf(spec: InstanceSpec): ReturnType<UsesVolumes["volumesOf"]> {
    if (spec.driver?.$case !== "qemu") return [];
    return spec.driver.value.disks.flatMap((disk, index) => {
      const field = `instance.spec.qemu.disks[${index}].volume`;
      const { volume, readOnly } = disk;
      return isVolume(disk) ? [{ volume, part: diskName(disk, index), field, readOnly }] : [];
    });
  }

  async growVolume(
    ...[instance, { part, sizeBytes }, { signal }]: Parameters<UsesVolumes["growVolume"]>
  ): Promise<void> {
    const { disks } = qemuOptionsOf(instance.spec);
    const index = disks.findIndex((disk, at) => diskName(disk, at) === part);
    const disk = disks[index];
    if (disk === undefined) return;
    const grown = { ...disk, sizeMib: sizeBytes / bytesPerMib };
    await resizeDisk(this.#machineOf(instance), { disk: grown, index }, { resource: instance.name, signal });
  }

  async findRunning(instance: DriverInstance, part: string): ReturnType<UsesVolumes["findRunning"]> {
    return await findRunningDisk(this.#machineOf(instance), part);
  }

  async moveVolume(...[instance, move, options]: Parameters<UsesVolumes["moveVolume"]>): Promise<void> {
    const { disks } = qemuOptionsOf(instance.spec);
    const disk = disks.find((each, at) => diskName(each, at) === move.part);
    if (disk === undefined) throw new Error(`${instance.name} has no ${move.part} any more`);
    const { part: id, target, commit } = move;
    const { signal, bytesPerSecond, progress } = options;
    await mirrorDisk(
      this.#machineOf(instance),
      { id, target, commit, bytesPerSecond, discard: disk.discard !== false, more: toNodeOptions(disk) },
      { resource: instance.name, signal, onProgress: (done) => progress("copying while it runs", 10 + 80 * done) },
    );
  }
}
