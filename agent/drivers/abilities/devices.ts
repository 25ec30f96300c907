import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import type { CallOptions, DriverInstance } from "../driver-instance.js";

/** What shall lie in a drive. */
export interface MediumChange {
  /** Name of the drive. */
  readonly drive: string;
  /** Name of an image; empty: nothing. */
  readonly image: string;
  /** Although the guest has locked the tray. */
  readonly force: boolean;
}

/** A device by its place in the list of its kind in the instance's spec. */
export interface DeviceAt {
  readonly index: number;
}

/** A disk, and whether its files are there before it is added, and after it was taken away. */
export interface DiskAt extends DeviceAt {
  /** Default: they are made and removed with it. */
  readonly areFilesKept?: boolean;
}

/**
 * Drivers that add devices to running instances, take them away and change them. Everything holds until the instance ends; that the spec says the
 * same is the instance layer's work. Each call either does all or, on error, leaves everything as it was. An instance whose guest does not
 * let go of a device is told with FAILED_PRECONDITION "DEVICE_IN_USE"; what a bus or machine cannot do, with "NOT_PLUGGABLE".
 */
export interface ChangesDevices {
  /**
   * The spec of a running instance with names and addresses for what it has been given; pure. Placing.placeDevices does it for one that
   * does not run.
   * @throws {ZorError} RESOURCE_EXHAUSTED when no place is left.
   */
  placeLive(spec: InstanceSpec): InstanceSpec;

  /** Adds a disk that the spec has, and makes its files. */
  plugDisk(instance: DriverInstance, disk: DiskAt, options: CallOptions): Promise<void>;
  /** Takes a disk away that the spec still has, with its files. Idempotent. */
  unplugDisk(instance: DriverInstance, disk: DiskAt, options: CallOptions): Promise<void>;
  /** Has the guest see the disk in the size of the spec, which is not smaller than it was. Idempotent. */
  resizeDisk(instance: DriverInstance, disk: DeviceAt, options: CallOptions): Promise<void>;
  /** Bounds a disk as the spec says. Idempotent. */
  setDiskLimits(instance: DriverInstance, disk: DeviceAt, options: CallOptions): Promise<void>;

  /** Adds an interface that the spec has and the network has made ready. */
  plugNic(
    instance: DriverInstance,
    nic: DeviceAt & { readonly network: InstanceNetwork },
    options: CallOptions,
  ): Promise<void>;
  /** Takes an interface away that the spec still has. Idempotent. Its port is the network's to remove. */
  unplugNic(instance: DriverInstance, nic: DeviceAt, options: CallOptions): Promise<void>;

  /** Checks a change of a drive that need not run. @throws {ZorError} NOT_FOUND for an unknown drive, or what the image deserves. */
  checkMedium(instance: DriverInstance, change: MediumChange, options: CallOptions): Promise<void>;
  /** Changes what lies in a drive. @throws {ZorError} FAILED_PRECONDITION when the guest has locked it and it is not forced. */
  changeMedium(instance: DriverInstance, change: MediumChange, options: CallOptions): Promise<void>;
}
