import type { LogPosition, OpenLog } from "../../../lib/logs/open-log.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** What instances say. */
export type LogSource =
  /** A serial port of a machine, the terminal of a container. */
  | "console"
  /** Messages of what runs it, for example QEMU. */
  | "runtime";

/** Which log, and how. */
export type LogRequest = CallOptions & {
  readonly source: LogSource;
  /** Serial port; 0 for all that have one. */
  readonly port: number;
  /** Whether it is to go on after what is there, until the run ends. */
  readonly follow: boolean;
  /** Go on after this, where that is known. */
  readonly resume?: LogPosition | undefined;
};

/** Drivers that keep what their instances say. */
export interface HasLogs {
  readonly sources: readonly LogSource[];
  /**
   * Opens a log of an instance, which need not run.
   * @param handle undefined: it does not run. What is there is given then, and nothing follows.
   * @throws {ZorError} INVALID_ARGUMENT for a port that is not there.
   */
  openLog(instance: DriverInstance, handle: RecoveryHandle | undefined, request: LogRequest): Promise<OpenLog>;
}
