import type { LogPosition } from "../../lib/logs/open-log.js";
import type { Capability } from "../../proto/gen/zor/v1/host.js";
import type { InstanceSpec } from "../../proto/gen/zor/v1/instance.js";
import type { Changeable } from "./abilities/changeable.js";
import type { BackedUp } from "./abilities/backups.js";
import type { Copyable, Savable } from "./abilities/copies.js";
import type { Connectable } from "./abilities/connect.js";
import type { Detachable } from "./abilities/detach.js";
import type { Discovering } from "./abilities/discovering.js";
import type { HasFiles } from "./abilities/files.js";
import type { HasScreen } from "./abilities/screen.js";
import type { HasKeyboard } from "./abilities/keyboard.js";
import type { HasLogs } from "./abilities/logs.js";
import type { Measured } from "./abilities/measured.js";
import type { Settling } from "./abilities/settles.js";
import type { Sharing } from "./abilities/sharing.js";
import type { Snapshottable } from "./abilities/snapshots.js";
import type { HasStatistics } from "./abilities/statistics.js";
import type { UsesVolumes } from "./abilities/volumes.js";
import type { Suspendable } from "./abilities/suspendable.js";
import type { CallOptions, DriverInstance, ExecCommand, Progress, RecoveryHandle } from "./driver-instance.js";
import type { Observation } from "./observation.js";
import type { ChangesDevices } from "./abilities/devices.js";
import type { InstanceNetwork, NetworkModel } from "../network/instance-networks.js";

// What abilities are told with is in a file that knows no driver, so that each can have its own.
export type { CallOptions, DriverInstance, ExecCommand, Progress, RecoveryHandle } from "./driver-instance.js";
export type { Observation, ObservedState, RunEnd } from "./observation.js";

type OptionsCase = Exclude<NonNullable<InstanceSpec["driver"]>["$case"], "other">;

/**
 * Where the options of a driver are: a member of InstanceSpec.driver of their own, or, for a driver that the API knows no options of, its
 * member `other`, as a packed message of that type, "zor.test.v1.EchoOptions".
 */
export type OptionsPlace = { readonly case: OptionsCase } | { readonly type: string };

/** Something that changed at an instance without having been asked for, or as a result of it. The instance layer then inspects. */
export interface DriverEvent {
  readonly uid: string;
  /**
   * "started", "exited", "paused", "resumed", "reset", "exec-ready", "silent", "alive" and the like; "image-changed", "watchdog"
   * and "hardware-lost" are told to people as they are.
   */
  readonly type: string;
  readonly message: string;
}

/**
 * The code behind one kind of instance. The instance layer serialises calls per instance, keeps specs and handles on disk and
 * prepares the network; a driver makes, runs and observes. Every driver passes test/contract/instance-driver.
 * All errors are ZorErrors, or ToolErrors which the instance layer wraps.
 */
export interface InstanceDriver {
  /** Its word: "qemu". */
  readonly kind: string;
  readonly options: OptionsPlace;
  readonly network: NetworkModel;
  /** What its instances can be asked for besides being started and stopped. Goes out in the host's fingerprint as "driver.{kind}.{ability}". */
  readonly can: Abilities;
  /** Its instances may take all the memory of their specs from the host: they are not started when it has not that much. Default: no. */
  readonly takesMemory?: boolean;
  /** Set when its instances have devices at addresses. */
  readonly placing?: Placing;
  /** Set when its runtime makes a net namespace at each start and joins none. */
  readonly wiring?: Wiring;
  /** Set when its instances may join the net namespaces of others. */
  readonly sharing?: Sharing;
  /** Set when its runtime, not the switch, gives interfaces their carrier. */
  readonly carrier?: Carrier;
  /** Set when work at its instances goes on, or leaves marks, when the agent is killed. */
  readonly settling?: Settling;
  /** Set when the kernel counts what its instances use, and that can be read each second. */
  readonly measured?: Measured;

  /**
   * Probes what the driver needs. Ids begin with "driver.{kind}"; the one without more segments says whether the driver is usable. What it
   * can is added from `can`. Never throws.
   */
  fingerprint(options: CallOptions): Promise<readonly Capability[]>;

  /**
   * Checks the driver's part of a spec against this host (images, options) and changes nothing. CPUs, memory and NICs are checked already.
   * @throws {ZorError} INVALID_ARGUMENT or FAILED_PRECONDITION, with proto field paths below "instance.spec".
   */
  validate(spec: InstanceSpec, options: CallOptions): Promise<void>;

  /** Prepares the directory (overlays, root filesystem). Not started. Idempotent: an earlier half-done create is replaced. */
  create(instance: DriverInstance, options: CallOptions & { readonly progress: Progress }): Promise<void>;

  /** Starts it with the prepared network. On error nothing of it is left running. */
  start(instance: DriverInstance, network: InstanceNetwork, options: CallOptions): Promise<RecoveryHandle>;

  /**
   * Finds a running instance again after the agent was restarted and resumes observing it.
   * With no handle (its file was lost) it looks for the process by the instance's directory or uid.
   * Resolves to undefined when it does not run. Never starts anything.
   */
  recover(
    instance: DriverInstance,
    handle: RecoveryHandle | undefined,
    options: CallOptions,
  ): Promise<RecoveryHandle | undefined>;

  /** Ends it at once. Resolves when it has ended. Idempotent. */
  stop(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<void>;

  /** Removes what create made. The instance does not run. Idempotent. The directory itself stays. */
  destroy(instance: DriverInstance, options: CallOptions): Promise<void>;

  /** Reads the state from the runtime, not from memory or disk. */
  inspect(instance: DriverInstance, handle: RecoveryHandle | undefined, options: CallOptions): Promise<Observation>;

  /** Everything that happens to the driver's instances until the signal aborts. One consumer. */
  events(signal: AbortSignal): AsyncIterable<DriverEvent>;

  /** Stops observing and closes every connection; instances go on. Resolves when nothing of the driver is left in this process. */
  detach(): Promise<void>;
}

/** What instances can be asked for. A driver that sets a member can do it. */
export interface Abilities {
  readonly pause?: Pausable;
  readonly reset?: Resettable;
  readonly shutdown?: Shutdownable;
  readonly console?: HasConsole;
  readonly logs?: HasLogs;
  readonly exec?: Executable;
  readonly keyboard?: HasKeyboard;
  /** Without it cpus and memory are changed at the next start, and options not at all. */
  readonly change?: Changeable;
  readonly suspend?: Suspendable;
  readonly snapshot?: Snapshottable;
  readonly detach?: Detachable;
  readonly connect?: Connectable;
  readonly devices?: ChangesDevices;
  readonly copy?: Copyable;
  /** It shows what others made. What it has is never stopped or removed by being deleted, only let go of. */
  readonly discover?: Discovering;
  readonly save?: Savable;
  readonly backup?: BackedUp;
  readonly screen?: HasScreen;
  readonly volumes?: UsesVolumes;
  readonly statistics?: HasStatistics;
  readonly files?: HasFiles;
}

/** Drivers whose instances have devices at addresses. */
export interface Placing {
  /**
   * The spec with an address for each device; pure, and the same for the same spec. The instance layer keeps it on disk before the
   * first start: a guest knows its devices by their addresses, so these never change.
   * @param options.isNew true: given to all, whatever the spec says. false: what is recorded stays, and a spec without any address is
   * of an agent that recorded none: its devices are where that agent put them.
   */
  placeDevices(spec: InstanceSpec, options: { readonly isNew: boolean }): InstanceSpec;
}

/** Drivers whose instances can be paused. */
export interface Pausable {
  pause(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<void>;
  resume(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<void>;
}

/** Drivers whose instances can be reset. A container's reset gives a new handle. */
export interface Resettable {
  reset(
    instance: DriverInstance,
    handle: RecoveryHandle,
    network: InstanceNetwork,
    options: CallOptions,
  ): Promise<RecoveryHandle>;
}

/** Drivers that can ask the guest to shut down. */
export interface Shutdownable {
  /**
   * Asks and returns; the end shows as an "exited" event. The instance layer asks again until it comes: a guest may not listen yet.
   * @param options.attempt how often it was asked before; the more often, the more means are used.
   */
  requestShutdown(
    instance: DriverInstance,
    handle: RecoveryHandle,
    options: CallOptions & { readonly attempt: number },
  ): Promise<void>;
  /** Nobody asks any more, and it runs on: takes back what asking has changed. Idempotent. */
  giveUpShutdown(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<void>;
}

/** Drivers of model "join" whose runtime makes the net namespace itself; what was prepared is moved there. */
export interface Wiring {
  /**
   * Has the namespace that the instance runs in hold its interfaces, under the name of the prepared one. A start does it itself; it is
   * called after a restart of the agent, or of the instance by somebody else. Idempotent.
   */
  connect(
    instance: DriverInstance,
    handle: RecoveryHandle,
    network: InstanceNetwork,
    options: CallOptions,
  ): Promise<void>;
}

/** Drivers whose runtime gives interfaces their carrier ("tap" drivers); that of a veth follows its switch side. */
export interface Carrier {
  /** Has the guest see a NIC, by its position in the spec, as plugged in or not. Holds until the instance ends. Idempotent. */
  setCarrier(
    instance: DriverInstance,
    handle: RecoveryHandle,
    nic: { readonly index: number; readonly up: boolean },
    options: CallOptions,
  ): Promise<void>;
}

/** A console: bytes both ways. Several may be open for one instance; all see the output. */
export interface ConsoleStream {
  /** Output from before, as it was: it must be made safe before a terminal sees it. */
  readonly replay: Uint8Array;
  /** Not all of the output from where it was to go on is there. */
  readonly isMissing?: boolean;
  /** Output from then on, ends when the console does. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Where what has been read of the output ends, to go on from there another time. Default: nobody can. */
  position?(): LogPosition | undefined;
  write(data: Uint8Array): Promise<void>;
  /** Resolves when what is typed from then on finds the terminal so. Where sizes cannot be told nothing happens. */
  resize(columns: number, rows: number): Promise<void>;
  close(): Promise<void>;
}

/** Which console, and how much of what it has said. */
export type ConsoleRequest = CallOptions & {
  readonly replayBytes: number;
  readonly port?: number;
  /** The replay is what came after this, where that is known. */
  readonly resume?: LogPosition | undefined;
};

/** Drivers with a serial console. */
export interface HasConsole {
  /** Instances may have several ports. Default: they have one. */
  readonly hasPorts?: boolean;

  /**
   * @param options.replayBytes bytes of recent output to give as replay, at most.
   * @param options.port which of several; default the first, 0. @throws {ZorError} INVALID_ARGUMENT when there is no such one.
   */
  openConsole(instance: DriverInstance, handle: RecoveryHandle, options: ConsoleRequest): Promise<ConsoleStream>;
}

/** What a command inside an instance does. */
export type ExecOutput =
  | { readonly type: "stdout" | "stderr"; readonly data: Uint8Array }
  | { readonly type: "exit"; readonly code: number; readonly signal: number; readonly truncated: boolean };

/** Drivers that can run commands inside. */
export interface Executable {
  /** The last element is of type "exit". Aborting the signal ends the command where the runtime can. */
  exec(
    instance: DriverInstance,
    handle: RecoveryHandle,
    command: ExecCommand,
    options: CallOptions & { readonly resizes?: AsyncIterable<{ columns: number; rows: number }> },
  ): AsyncIterable<ExecOutput>;
}
