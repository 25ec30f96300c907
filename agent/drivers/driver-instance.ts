import type { InstanceSpec } from "../../proto/gen/zor/v1/instance.js";

/** An instance as a driver knows it. The directory is the driver's own; it exists and has mode 0700. */
export interface DriverInstance {
  /** Resource name, for errors. */
  readonly name: string;
  /** Last segment of the resource name. */
  readonly id: string;
  /** Identity; stable over restarts. */
  readonly uid: string;
  readonly spec: InstanceSpec;
  /** State directory of this instance: disks, sockets, logs. */
  readonly directory: string;
}

/**
 * What a driver needs to find a running instance again, as JSON. Written to disk before the instance is acknowledged.
 * Every field is checked against the running process before it is trusted: pids are reused.
 */
export interface RecoveryHandle {
  /** Of a runtime that tells no process: the number that it gave this run. */
  readonly pid: number;
  /** Start time of the process in clock ticks since boot, field 22 of /proc/{pid}/stat; "0" where there is no process. */
  readonly startTicks: string;
  /** The driver's own fields. */
  readonly extra: Readonly<Record<string, string>>;
}

/** Options of calls that take time. */
export interface CallOptions {
  readonly signal: AbortSignal;
}

/** Reports progress of long work: a step for people and percent done. */
export type Progress = (step: string, percent: number) => void;

/** A command to run inside an instance. */
export interface ExecCommand {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly tty: boolean;
  readonly columns: number;
  readonly rows: number;
  /** Standard input; undefined: at its end from the start. */
  readonly stdin: AsyncIterable<Uint8Array> | undefined;
  /** Name or number of the user, with a group behind a colon or without; default: root. Checked: it holds nothing that a shell reads. */
  readonly user?: string;
  /** Absolute path; default: "/". */
  readonly directory?: string;
}
