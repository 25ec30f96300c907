import { isDeepStrictEqual } from "node:util";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { CdromDrive, Disk } from "../../../proto/gen/zor/v1/qemu.js";
import type { Changeable, FieldChange, SpecChange, Timing } from "../abilities/changeable.js";
import type { ChangesDevices } from "../abilities/devices.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import { findTiming, never, nextStart, now } from "./change-timing.js";
import { createDisk, type DisksOptions, removeDisk } from "./disks.js";
import { changeSize } from "./live/size.js";
import type { Machine } from "./machine.js";
import { qemuOptionsOf } from "./options.js";
import { isAloneInSlot, machineTypeOf, placeDevices } from "./placement.js";

/** What changes of machines are made with. */
export interface MachineChanges {
  readonly devices: ChangesDevices;
  /** @throws {ZorError} FAILED_PRECONDITION when it is not observed. */
  machineOf(instance: DriverInstance): Machine;
  disksOptions(instance: DriverInstance, options: CallOptions): DisksOptions;
  /** Promises a machine its disks. @throws {ZorError} RESOURCE_EXHAUSTED */
  promiseDisk(instance: DriverInstance): Promise<void>;
  /** Says in the log what somebody should look at. */
  warn(resource: string, message: string): void;
}

/** Changes of machines: devices, media and bounds at once, all else with their next start. */
export class QemuChanges implements Changeable {
  readonly #changes: MachineChanges;

  constructor(changes: MachineChanges) {
    this.#changes = changes;
  }

  timingOf({ path, before, after, isRunning }: FieldChange): Timing {
    const [old, next] = [qemuOptionsOf(before), qemuOptionsOf(after)];
    const timing = findTiming({ path, before, after, isRunning });
    if (timing !== undefined) return timing;
    if (path === "qemu.disks")
      return worst(changesOf(old.disks, next.disks).map((each) => diskTiming(each, after, isRunning)));
    if (path === "qemu.cdroms") return worst(changesOf(old.cdroms, next.cdroms).map(driveTiming));
    if (!path.startsWith("nics.")) return nextStart;
    const [nic] = changesOf(before.nics, after.nics).filter(({ name }) => path === `nics.${name}`);
    if (nic === undefined || (nic.old !== undefined && nic.next !== undefined)) return nextStart;
    return isLivePlace(nic, after) ? now : nextStart;
  }

  settle({ before, after, isLive }: { before: InstanceSpec; after: InstanceSpec; isLive: boolean }): InstanceSpec {
    const [old, value] = [qemuOptionsOf(before), qemuOptionsOf(after)];
    const disks = keep(old.disks, value.disks, isSameDisk);
    const cdroms = keep(old.cdroms, value.cdroms, (a, b) => a.bus === b.bus || b.bus === "");
    const hotplugPorts = value.hotplugPorts ?? old.hotplugPorts;
    const kept: InstanceSpec = {
      ...after,
      driver: { $case: "qemu", value: { ...value, disks, cdroms, hotplugPorts } },
    };
    if (!isLive) return placeDevices(kept, { isNew: false });
    try {
      return this.#changes.devices.placeLive(kept);
    } catch {
      // Where nothing can be added now it may be with the next start.
      return placeDevices(kept, { isNew: false });
    }
  }

  async applyChange(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    change: SpecChange,
    options: CallOptions,
  ): Promise<() => Promise<void>> {
    await using undo = new AsyncDisposableStack();
    const changed = { ...instance, spec: change.after };
    const both = { instance, changed, options, undo, network: change.network };
    if (handle === undefined) await this.#changeFiles(both);
    else await this.#changeLive(both, change.paths);
    const taken = undo.move();
    return () => taken.disposeAsync();
  }

  /** What was on disks that are gone is kept until it is written down that they are: till then they may come back. */
  async finishChange(instance: DriverInstance, { before, after, paths }: SpecChange): Promise<void> {
    if (!paths.includes("qemu.disks")) return;
    for (const { old, next, oldIndex } of changesOf(qemuOptionsOf(before).disks, qemuOptionsOf(after).disks)) {
      if (next === undefined && old !== undefined) await removeDisk(old, oldIndex, instance);
    }
  }

  /** Disks of a machine that does not run. Bounds and sizes are what its next start gives it. */
  async #changeFiles({ instance, changed, options, undo }: Both): Promise<void> {
    const [old, next] = [qemuOptionsOf(instance.spec).disks, qemuOptionsOf(changed.spec).disks];
    if (isDeepStrictEqual(old, next)) return;
    undo.defer(() => this.#changes.promiseDisk(instance).catch(() => undefined));
    await this.#changes.promiseDisk(changed);
    const files = this.#changes.disksOptions(instance, options);
    for (const disk of changesOf(old, next)) {
      if (disk.old !== undefined || disk.next?.persistent !== true) continue;
      const { next: added, nextIndex } = disk;
      undo.defer(() => removeDisk(added, nextIndex, files));
      await createDisk(added, nextIndex, files);
    }
  }

  async #changeLive(both: Both, paths: readonly string[]): Promise<void> {
    const { instance, changed } = both;
    for (const nic of changesOf(instance.spec.nics, changed.spec.nics)) await this.#changeNic(both, nic);
    const [old, next] = [qemuOptionsOf(instance.spec), qemuOptionsOf(changed.spec)];
    if (paths.includes("qemu.cdroms")) {
      for (const drive of changesOf(old.cdroms, next.cdroms)) await this.#changeMedium(both, drive);
    }
    const disks = paths.includes("qemu.disks") ? changesOf(old.disks, next.disks) : [];
    for (const disk of disks.filter(({ next: kept }) => kept !== undefined)) await this.#changeDisk(both, disk);
    const onUnseen = (message: string): void => this.#changes.warn(instance.name, message);
    if (paths.some(isOfSize)) await changeSize(this.#changes.machineOf(instance), { ...both, onUnseen }, both.options);
    for (const disk of disks.filter(({ next: kept }) => kept === undefined)) await this.#removeDisk(both, disk);
    // Last: the new size of a disk cannot be taken back.
    for (const disk of disks) await this.#growDisk(both, disk);
  }

  async #changeNic({ instance, changed, options, undo, network }: Both, nic: Changed<Nic>): Promise<void> {
    const { devices } = this.#changes;
    if (network === undefined) return;
    const [oldAt, nextAt] = [{ index: nic.oldIndex }, { index: nic.nextIndex }];
    if (nic.old === undefined) {
      await devices.plugNic(changed, { ...nextAt, network }, options);
      undo.defer(() => devices.unplugNic(changed, nextAt, { signal: uninterrupted }));
    } else if (nic.next === undefined) {
      await devices.unplugNic(instance, oldAt, options);
      undo.defer(() => devices.plugNic(instance, { ...oldAt, network }, { signal: uninterrupted }));
    }
  }

  async #changeMedium({ instance, changed, options, undo }: Both, drive: Changed<CdromDrive>): Promise<void> {
    const { old, next, name } = drive;
    if (old === undefined || next === undefined) return;
    const { devices } = this.#changes;
    const put = (image: string) => ({ drive: name, image, force: false });
    await devices.changeMedium(changed, put(next.image), options);
    undo.defer(() => devices.changeMedium(instance, put(old.image), { signal: uninterrupted }));
  }

  async #changeDisk({ instance, changed, options, undo }: Both, disk: Changed<Disk>): Promise<void> {
    const { devices } = this.#changes;
    const [oldAt, nextAt] = [{ index: disk.oldIndex }, { index: disk.nextIndex }];
    if (disk.old === undefined) {
      await devices.plugDisk(changed, nextAt, options);
      undo.defer(() => devices.unplugDisk(changed, nextAt, { signal: uninterrupted }));
    } else if (!isDeepStrictEqual(disk.old.limits, disk.next?.limits)) {
      await devices.setDiskLimits(changed, nextAt, options);
      undo.defer(() => devices.setDiskLimits(instance, oldAt, { signal: uninterrupted }));
    }
  }

  /** Its files stay until the change is written down: see {@link finishChange}. */
  async #removeDisk({ instance, options, undo }: Both, { oldIndex }: Changed<Disk>): Promise<void> {
    const { devices } = this.#changes;
    const at = { index: oldIndex, areFilesKept: true };
    await devices.unplugDisk(instance, at, options);
    undo.defer(() => devices.plugDisk(instance, at, { signal: uninterrupted }));
  }

  async #growDisk({ changed, options }: Both, { old, next, nextIndex }: Changed<Disk>): Promise<void> {
    if (old === undefined || next === undefined || old.sizeMib === next.sizeMib) return;
    await this.#changes.devices.resizeDisk(changed, { index: nextIndex }, options);
  }
}

/** Whether a field decides over CPUs and memory. */
function isOfSize(path: string): boolean {
  return path === "cpus" || path === "memory_mib" || /^qemu\.(processors|memory)\b/.test(path);
}

interface Both {
  readonly instance: DriverInstance;
  readonly changed: DriverInstance;
  readonly options: CallOptions;
  readonly undo: AsyncDisposableStack;
  readonly network: SpecChange["network"];
}

/** A device that differs; `old` undefined: it was added, `next` undefined: taken away. */
interface Changed<T> {
  readonly name: string;
  readonly old: T | undefined;
  readonly next: T | undefined;
  readonly oldIndex: number;
  readonly nextIndex: number;
}

function changesOf<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
): readonly Changed<T>[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  const indexIn = (list: readonly T[], name: string) => list.findIndex((each) => each.name === name);
  return names
    .map((name) => ({ name, oldIndex: indexIn(before, name), nextIndex: indexIn(after, name) }))
    .map((each) => ({ ...each, old: before[each.oldIndex], next: after[each.nextIndex] }))
    .filter(({ old, next }) => !isDeepStrictEqual(old, next));
}

function diskTiming(disk: Changed<Disk>, spec: InstanceSpec, isRunning: boolean): Timing {
  const { old, next } = disk;
  if (old === undefined || next === undefined) {
    const isPluggable = ["scsi", "usb"].includes((old ?? next)?.bus ?? "") || isLivePlace(disk, spec);
    return !isRunning || isPluggable
      ? now
      : never("stop it first: there it cannot be added or taken away while it runs");
  }
  if (!isSameDisk(old, next) || next.format !== old.format || next.bus !== old.bus)
    return never("take the disk away, and add another one");
  if (next.sizeMib < old.sizeMib) return never("disks grow only");
  const others = ({ limits: _limits, sizeMib: _size, ...rest }: Disk) => rest;
  return isDeepStrictEqual(others(old), others(next)) ? now : nextStart;
}

function isSameDisk(one: Disk, other: Disk): boolean {
  return one.image === other.image && one.persistent === other.persistent && one.volume === other.volume;
}

function driveTiming({ old, next }: Changed<CdromDrive>): Timing {
  return old !== undefined && next !== undefined && old.bus === next.bus ? now : nextStart;
}

/** Behind ports and bridges devices come and go; on the first bus of a pc, those that have their slot to themselves can be taken away. */
function isLivePlace(
  { old, next }: Changed<{ readonly name: string; readonly deviceAddress: string }>,
  spec: InstanceSpec,
): boolean {
  const { deviceAddress = "" } = next ?? old ?? {};
  if (deviceAddress.includes("/")) return true;
  const options = qemuOptionsOf(spec);
  const left = [...spec.nics, ...options.disks].map((each) => each.deviceAddress);
  const isFirstBus = deviceAddress.startsWith("0000:") && machineTypeOf(options) === "pc";
  return next === undefined && isFirstBus && isAloneInSlot(deviceAddress, left);
}

function worst(timings: readonly Timing[]): Timing {
  return timings.find(({ when }) => when === "never") ?? timings.find(({ when }) => when === "next-start") ?? now;
}

/** Devices with the names and places that they had: found by name, or, without one, as the same in the same place. */
function keep<T extends { readonly name: string; readonly deviceAddress: string }>(
  before: readonly T[],
  after: readonly T[],
  isSame: (old: T, next: T) => boolean,
): T[] {
  const named = new Set(after.map(({ name }) => name));
  return after.map((next, index) => {
    const found = before.find(({ name }) => name === next.name);
    const there = before[index];
    const old =
      found ??
      (next.name === "" && there !== undefined && !named.has(there.name) && isSame(there, next) ? there : undefined);
    return old === undefined
      ? { ...next, name: "", deviceAddress: "" }
      : { ...next, name: old.name, deviceAddress: old.deviceAddress };
  });
}
