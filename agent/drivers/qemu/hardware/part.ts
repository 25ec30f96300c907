import type { FieldViolation } from "../../../../lib/errors.js";
import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import type { QemuOptions } from "../../../../proto/gen/zor/v1/qemu.js";
import type { InstanceNetwork } from "../../../network/instance-networks.js";
import type { VolumeAccess } from "../../abilities/volumes.js";
import type { DiskQuota } from "../../disk-quota.js";
import type { DriverInstance } from "../../driver.js";
import type { ContentDigests } from "../content-digests.js";
import type { InheritedFiles } from "../inherited-files.js";
import type { MachineType } from "../placement.js";
import type { Architecture } from "../program.js";
import type { QemuKnowledge } from "../qemu-names.js";

/** A spec that is looked at. */
export interface Asked {
  readonly spec: InstanceSpec;
  /** The spec's options for this driver. */
  readonly options: QemuOptions;
}

/** What the agent's own settings allow machines beyond the ordinary. */
export interface MachinePolicy {
  /** Arguments of QEMU, as they are. */
  readonly qemuArguments: boolean;
  /** Addresses of the host's PCI devices that may be passed through. */
  readonly pciDevices: readonly string[];
  /** USB devices of the host that may be given away, as specs name them. */
  readonly usbDevices: readonly string[];
  /** Directories of the host that machines may share, or anything in them. */
  readonly shares: readonly SharedDirectory[];
}

/** A directory of the host that machines may share. */
export interface SharedDirectory {
  readonly path: string;
  readonly readOnly: boolean;
}

/** What a host allows of whose policy nothing is said. */
export const nothingAllowed: MachinePolicy = { qemuArguments: false, pciDevices: [], usbDevices: [], shares: [] };

/** The host that a machine is to be made on. */
export interface MachineHost {
  readonly accelerator: "kvm" | "tcg";
  readonly knowledge: QemuKnowledge;
  readonly policy: MachinePolicy;
  /** Directories that images may come from. */
  readonly imageDirectories: readonly string[];
  readonly quota: DiskQuota;
  readonly signal: AbortSignal;
}

/** What all parts of a machine share. */
export interface MachineFacts {
  readonly machine: MachineType;
  readonly architecture: Architecture;
  readonly accelerator: "kvm" | "tcg";
}

/** A start that is being prepared. */
export interface Launch extends Asked, MachineFacts {
  readonly instance: DriverInstance;
  /** Resource name for errors. */
  readonly resource: string;
  readonly network: InstanceNetwork;
  readonly imageDirectories: readonly string[];
  readonly digests: ContentDigests;
  /** The volumes of the host; undefined: there are none. */
  readonly volumes: VolumeAccess | undefined;
  readonly policy: MachinePolicy;
  /** The unprivileged user and group of this instance's programs. */
  readonly user: number;
  /** What QEMU inherits; open until it has been started. */
  readonly inherited: InheritedFiles;
  readonly signal: AbortSignal;
}

/** Commands for a running QEMU. */
export interface Qmp {
  execute(command: string, args?: Record<string, unknown>): Promise<unknown>;
}

/** What a part adds to QEMU's command line. */
export interface PartArguments {
  /** Properties of the machine: "graphics=off". */
  readonly machine?: readonly string[];
  /** Properties of -boot: "menu=on". */
  readonly boot?: readonly string[];
  readonly argv?: readonly string[];
}

/**
 * One part of a machine. A part is a module in this folder and one line in the list of hardware; what checks, admits, prepares and starts machines
 * only walks the list, in its order. `Plan` is everything that decides the part's arguments.
 */
export interface HardwarePart<Plan> {
  /** What is wrong with the spec by itself; pure. */
  check?(asked: Asked): readonly FieldViolation[];

  /** Checks the part against this host; changes nothing. The spec has passed every check. @throws {ZorError} with the field. */
  admit?(asked: Asked, host: MachineHost): Promise<void>;

  /**
   * Opens and prepares what the part needs for a start; undefined: this machine has none. What it leaves outside of `launch.inherited` and the
   * instance's directory it removes itself when it fails.
   * @throws {ZorError} when something is not as it should be; {ToolError} when a program is missing.
   */
  open(launch: Launch): Promise<Plan | undefined>;

  /** The part's arguments; pure. No path leads out of QEMU's working directory, and no file of the agent is opened by name. */
  toArguments(plan: Plan, facts: MachineFacts): PartArguments;

  /** Called when QEMU answers and before a CPU has run. @throws {ZorError}, and then nothing of the machine stays. */
  beforeRun?(asked: Asked, qmp: Qmp, resource: string): Promise<void>;

  /** What is wrong with the part of a machine that runs, for people; undefined: nothing. Cheap: it is asked again and again. */
  findProblem?(asked: Asked, directory: string): Promise<string | undefined>;

  /** Ends the part's programs of a machine that could not be started. Idempotent. */
  end?(directory: string): Promise<void>;

  /** Removes what the part has kept in the instance's directory. Idempotent. */
  remove?(directory: string): Promise<void>;
}
