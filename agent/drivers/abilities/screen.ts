import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { FromServer } from "../../network/socket-stream.js";

/** Drivers whose instances may have a screen. */
export interface HasScreen {
  /**
   * What the screen shows now, as a PNG file of at most 32 MiB.
   * @throws {ZorError} FAILED_PRECONDITION when this instance has no screen.
   */
  captureScreen(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<Uint8Array>;
  /**
   * Connects to the screen with its keyboard and pointer: RFB (VNC) without a password. Several may be connected. As
   * connections to servers inside otherwise.
   * @throws {ZorError} FAILED_PRECONDITION when this instance has no screen.
   */
  connectScreen(
    instance: DriverInstance,
    handle: RecoveryHandle,
    input: AsyncIterable<Uint8Array>,
    options: CallOptions,
  ): AsyncIterable<FromServer>;
}
