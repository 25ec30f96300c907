import { notFound } from "../../../../lib/errors.js";
import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import type { InstanceNetwork } from "../../../network/instance-networks.js";
import type { ChangesDevices, DeviceAt, DiskAt, MediumChange } from "../../abilities/devices.js";
import type { CallOptions, DriverInstance } from "../../driver.js";
import { openMedium } from "../cd-medium.js";
import type { DisksOptions } from "../disks.js";
import { driveName } from "../ids.js";
import { qemuOptionsOf } from "../options.js";
import { machineTypeOf, placeDevices } from "../placement.js";
import { type LiveDisk, type LiveDiskOptions, plugDisk, resizeDisk, setDiskLimits, unplugDisk } from "./disks.js";
import { settleDevices } from "./leftovers.js";
import type { LiveMachine } from "./live-machine.js";
import { changeMedium } from "./media.js";
import { type LiveNic, type LiveNicOptions, plugNic, unplugNic } from "./nics.js";

/** What {@link LiveDevices} needs of the driver. */
export interface LiveDevicesOptions {
  /** @throws {ZorError} FAILED_PRECONDITION when it does not run. */
  readonly machineOf: (instance: DriverInstance) => LiveMachine;
  readonly disksOptions: (instance: DriverInstance, options: CallOptions) => DisksOptions;
  /** Promises the disks of the instance's spec, anew when they were promised before. @throws {ZorError} RESOURCE_EXHAUSTED */
  readonly promiseDisk: (instance: DriverInstance) => Promise<void>;
  /** Told of devices of a running machine that could not be made what its spec says. */
  readonly onUnsettled: (instance: DriverInstance, error: unknown, what: string) => void;
}

/** Changes devices of running machines. */
export class LiveDevices implements ChangesDevices {
  readonly #options: LiveDevicesOptions;

  constructor(options: LiveDevicesOptions) {
    this.#options = options;
  }

  placeLive(spec: InstanceSpec): InstanceSpec {
    return placeDevices(spec, { isNew: false, isLive: true });
  }

  async plugDisk(instance: DriverInstance, at: DiskAt, options: CallOptions): Promise<void> {
    const machine = this.#options.machineOf(instance);
    const { index } = at;
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#options.promiseDisk(withoutDisk(instance, index)));
    await this.#options.promiseDisk(instance);
    await plugDisk(machine, { ...diskAt(instance, index), ...at }, this.#diskOptions(instance, options));
    undo.move();
  }

  async unplugDisk(instance: DriverInstance, at: DiskAt, options: CallOptions): Promise<void> {
    const machine = this.#options.machineOf(instance);
    const { index } = at;
    await unplugDisk(machine, { ...diskAt(instance, index), ...at }, this.#diskOptions(instance, options));
    await this.#options.promiseDisk(withoutDisk(instance, index));
  }

  /** Has a running machine be what its spec says, see {@link settleDevices}. Never throws. */
  async settle(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<void> {
    await settleDevices(this.#options.machineOf(instance), instance, {
      plugDisk: (index) => this.plugDisk(instance, { index, areFilesKept: true }, options),
      plugNic: (index) => this.plugNic(instance, { index, network }, options),
      onError: (error, what) => this.#options.onUnsettled(instance, error, what),
    });
  }

  async resizeDisk(instance: DriverInstance, { index }: DeviceAt, options: CallOptions): Promise<void> {
    const machine = this.#options.machineOf(instance);
    await this.#options.promiseDisk(instance);
    await resizeDisk(machine, diskAt(instance, index), { ...options, resource: instance.name });
  }

  async setDiskLimits(instance: DriverInstance, { index }: DeviceAt, options: CallOptions): Promise<void> {
    const machine = this.#options.machineOf(instance);
    await setDiskLimits(machine, diskAt(instance, index), { ...options, resource: instance.name });
  }

  async plugNic(
    instance: DriverInstance,
    { index, network }: DeviceAt & { readonly network: InstanceNetwork },
    options: CallOptions,
  ): Promise<void> {
    const machine = this.#options.machineOf(instance);
    const port = network.nics[index];
    if (port === undefined) throw new Error(`the network has made no interface ${index}`);
    await plugNic(machine, { ...nicAt(instance, index), port, network }, toNicOptions(instance, options));
  }

  async unplugNic(instance: DriverInstance, { index }: DeviceAt, options: CallOptions): Promise<void> {
    const machine = this.#options.machineOf(instance);
    await unplugNic(machine, nicAt(instance, index), toNicOptions(instance, options));
  }

  async checkMedium(instance: DriverInstance, { drive, image }: MediumChange, options: CallOptions): Promise<void> {
    const { cdroms } = qemuOptionsOf(instance.spec);
    if (!cdroms.some((each, index) => driveName(each, index) === drive)) {
      const names = cdroms.map(driveName).join(", ");
      throw notFound(`${instance.name}/cdroms/${drive}`, names === "" ? "it has no drives" : `it has ${names}`);
    }
    if (image === "") return;
    const { imageDirectories } = this.#options.disksOptions(instance, options);
    await using medium = await openMedium(imageDirectories, image, "image");
    void medium;
  }

  async changeMedium(instance: DriverInstance, change: MediumChange, options: CallOptions): Promise<void> {
    const machine = this.#options.machineOf(instance);
    await changeMedium(machine, change, this.#options.disksOptions(instance, options));
  }

  #diskOptions(instance: DriverInstance, options: CallOptions): LiveDiskOptions {
    const machine = machineTypeOf(qemuOptionsOf(instance.spec));
    return { ...this.#options.disksOptions(instance, options), machine };
  }
}

function toNicOptions(instance: DriverInstance, { signal }: CallOptions): LiveNicOptions {
  return { signal, resource: instance.name, machine: machineTypeOf(qemuOptionsOf(instance.spec)) };
}

function diskAt({ spec }: DriverInstance, index: number): LiveDisk {
  const disk = qemuOptionsOf(spec).disks[index];
  if (disk === undefined) throw new Error(`the spec has no disk ${index}`);
  return { disk, index };
}

function nicAt({ spec }: DriverInstance, index: number): LiveNic {
  const nic = spec.nics[index];
  if (nic === undefined) throw new Error(`the spec has no interface ${index}`);
  return { nic, index };
}

function withoutDisk(instance: DriverInstance, index: number): DriverInstance {
  const value = qemuOptionsOf(instance.spec);
  const disks = value.disks.filter((_disk, at) => at !== index);
  return { ...instance, spec: { ...instance.spec, driver: { $case: "qemu", value: { ...value, disks } } } };
}
