import type { Dialled } from "../../network/dial.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** Drivers that can connect to servers inside. */
export interface Connectable {
  /**
   * Connects as a program inside would. Ends when both sides have ended, or the connection is broken. Input is taken no faster than the
   * server takes it. Aborting, or not reading on, closes the connection.
   * @throws {ZorError} FAILED_PRECONDITION when nobody listens there, or nothing inside can connect.
   */
  connect(
    instance: DriverInstance,
    handle: RecoveryHandle,
    to: Dialled,
    options: CallOptions,
  ): AsyncIterable<FromServer>;
}
