import type { ConsoleSession } from "../../../proto/gen/zor/v1/console_service.js";
import {
  Instance,
  type HeardAddress,
  type InstanceSpec,
  InstanceState,
  type InstanceStatus,
  type Nic,
  type RestartStatus,
} from "../../../proto/gen/zor/v1/instance.js";
import type { ScheduleStatus } from "../../../proto/gen/zor/v1/schedule.js";
import type {
  DriverInstance,
  InstanceDriver,
  Observation,
  ObservedState,
  RecoveryHandle,
} from "../../drivers/driver.js";
import type { FoundInstance } from "../../drivers/abilities/discovering.js";
import type { Claim } from "../../drivers/instance-access.js";
import type { InstanceNetwork, NetworkOwner } from "../../network/instance-networks.js";
import type { LastEnd } from "./last-end.js";
import type { Life } from "./restart-plan.js";
import type { ScreenViewers } from "./screen-viewers.js";
import { planChanges } from "./spec-diff.js";
import type { StoredInstance } from "./stored-instance.js";

/** Who is attached beyond this number is not told. */
const maxToldSessions = 64;

/** Work under way at an instance. */
export type Activity = "creating" | "starting" | "stopping" | "deleting";

/** An instance in the agent's memory. Only work in the instance's own queue changes it. */
export interface InstanceRecord {
  stored: StoredInstance;
  readonly driver: InstanceDriver;
  /** State directory of the instance. */
  readonly directory: string;
  /** Both copies of the spec were unreadable; what runs was found again, but how it was made is not known. */
  readonly specLost: boolean;
  /** Set while it runs. */
  handle: RecoveryHandle | undefined;
  /** Set while its interfaces exist. */
  network: InstanceNetwork | undefined;
  /** While some of them are gone from the host: how often they were tried to be made again, and why that failed last. */
  healing?: { tried: number; failure: string } | undefined;
  activity: Activity | undefined;
  /** Long work of others, during which nothing else may change it. */
  claim?: Claim | undefined;
  observation: Observation;
  observeTime: Date;
  lastStartTime: Date | undefined;
  /** How its last run ended. */
  lastEnd: LastEnd | undefined;
  life: Life;
  /** The specification that what runs has, where that is another one than the instance's; undefined: the same. */
  running: InstanceSpec | undefined;
  /** The specification that it is suspended with: its memory is on disk. Undefined: it is not. */
  suspended: InstanceSpec | undefined;
  /** It is to be started because the host has booted, and waits for its turn. */
  awaitsBoot: boolean;
  /** How its schedules stand. */
  schedules?: readonly ScheduleStatus[];
  /** Addresses that were heard at its interfaces. */
  heard?: readonly HeardAddress[];
  /** Who is attached to its consoles. */
  consoleSessions?: readonly ConsoleSession[];
  /** Who is connected to its screen. */
  screenViewers?: ScreenViewers;
  /** When it was told last that somebody looks at them, by who looks at which. */
  toldLooks?: Map<string, number>;
}

/** Whether it is started without anybody asking for it, sooner or later. */
export function isWaiting({ handle, life, awaitsBoot }: InstanceRecord): boolean {
  return handle === undefined && (life.nextTime !== undefined || awaitsBoot);
}

/** Whether an instance in this state runs no more. */
export function hasEnded(state: ObservedState): boolean {
  return state === "stopped" || state === "failed";
}

/** What is observed of an instance that does not run. */
export function notRunning(state: "stopped" | "failed", reason: string): Observation {
  return { state, reason, pid: 0, startTime: undefined, accelerator: "", execReady: false };
}

/** As the command line names it: "alpha/vm1". */
export function shortNameOf({ stored }: Pick<InstanceRecord, "stored">): string {
  return stored.resource.name.replace(/^hosts\//, "").replace("/instances/", "/");
}

/** The specification that what runs has; of an instance that does not run, the one that its next run will have. */
export function specOf({ handle, running, stored }: InstanceRecord): InstanceSpec {
  return handle === undefined ? stored.resource.spec : (running ?? stored.resource.spec);
}

/** Id of the instance whose net namespace one of that specification joins; "": it has its own. */
export function networkOf({ driver }: Pick<InstanceRecord, "driver">, spec: InstanceSpec): string {
  return driver.sharing?.networkOf(spec) ?? "";
}

/** The view a driver has of an instance. */
export function toDriverInstance(record: InstanceRecord): DriverInstance {
  return {
    name: record.stored.resource.name,
    id: record.stored.id,
    uid: record.stored.resource.uid,
    spec: specOf(record),
    directory: record.directory,
  };
}

/** The view the network has of an instance. */
export function toOwner(record: InstanceRecord): NetworkOwner {
  return {
    name: record.stored.resource.name,
    uid: record.stored.resource.uid,
    // What is another one's is not for it to make or remove.
    model: networkOf(record, specOf(record)) === "" ? record.driver.network : "own",
    nics: specOf(record).nics,
  };
}

/** The instance as the API shows it. */
export function toInstance(record: InstanceRecord): Instance {
  const { resource: instance } = record.stored;
  return { ...instance, status: toStatus(record, specOf(record)) };
}

/** What was found on the host and is nobody's here, as the API shows it. */
export function toFoundInstance(name: string, { uid, spec, observation }: FoundInstance, observeTime: Date): Instance {
  const { state, reason, pid, startTime, accelerator, execReady } = observation;
  const status = { state: stateOf[state], reason, pid: BigInt(pid), startTime, observeTime, accelerator, execReady };
  return Instance.fromPartial({ name, uid, spec, status });
}

function toStatus(record: InstanceRecord, spec: InstanceSpec): InstanceStatus {
  const { observation } = record;
  return {
    state: toState(record),
    reason: record.activity === "creating" ? "is being created" : observation.reason,
    pid: BigInt(observation.pid),
    startTime: observation.startTime ?? record.lastStartTime,
    observeTime: record.observeTime,
    accelerator: observation.accelerator,
    execReady: observation.execReady,
    health: observation.health,
    balloonMib: BigInt(observation.balloonMib ?? 0),
    nics: spec.nics.map((nic): Nic => ({ ...nic, port: portOf(record, nic.name) })),
    lastEnd: record.lastEnd,
    restart: toRestartStatus(record),
    pendingChanges: pendingChanges(record),
    schedules: [...(record.schedules ?? [])],
    heardAddresses: [...(record.heard ?? [])],
    consoleSessions: (record.consoleSessions ?? []).slice(0, maxToldSessions),
  };
}

function toState({ activity, handle, suspended, observation }: InstanceRecord): InstanceState {
  if (activity !== undefined) return stateDuring[activity];
  // A start that failed has left its memory where it is, and is told by the reason.
  if (handle === undefined && suspended !== undefined) return InstanceState.INSTANCE_STATE_SUSPENDED;
  return stateOf[observation.state];
}

function pendingChanges({ handle, running, stored, driver }: InstanceRecord): string[] {
  if (handle === undefined || running === undefined) return [];
  return planChanges(driver, { before: running, after: stored.resource.spec, isRunning: true }).map(({ path }) => path);
}

function toRestartStatus({ life, handle }: InstanceRecord): RestartStatus | undefined {
  const { restarts: count, givenUp } = life;
  const nextTime = handle === undefined ? life.nextTime : undefined;
  return count === 0 && nextTime === undefined && !givenUp ? undefined : { count, nextTime, givenUp };
}

function portOf(record: InstanceRecord, nic: string): string {
  return record.network?.nics.find((port) => port.nic === nic)?.port ?? "";
}

const stateOf: Readonly<Record<ObservedState, InstanceState>> = {
  stopped: InstanceState.INSTANCE_STATE_STOPPED,
  running: InstanceState.INSTANCE_STATE_RUNNING,
  paused: InstanceState.INSTANCE_STATE_PAUSED,
  failed: InstanceState.INSTANCE_STATE_FAILED,
  unknown: InstanceState.INSTANCE_STATE_UNKNOWN,
};

const stateDuring: Readonly<Record<Activity, InstanceState>> = {
  creating: InstanceState.INSTANCE_STATE_STARTING,
  starting: InstanceState.INSTANCE_STATE_STARTING,
  stopping: InstanceState.INSTANCE_STATE_STOPPING,
  deleting: InstanceState.INSTANCE_STATE_STOPPING,
};
