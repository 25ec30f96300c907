import type { CallOptions, DriverInstance, ExecCommand, RecoveryHandle } from "../driver-instance.js";

/** Drivers that can leave commands running inside. */
export interface Detachable {
  /**
   * Starts a command that goes on without us, with neither input, output nor terminal, and resolves to its pid inside the instance. It
   * outlives the agent, and ends with the instance at the latest.
   */
  execDetached(
    instance: DriverInstance,
    handle: RecoveryHandle,
    command: Pick<ExecCommand, "command" | "environment" | "user" | "directory">,
    options: CallOptions,
  ): Promise<number>;
}
