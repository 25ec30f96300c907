import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { FromServer } from "../../network/socket-stream.js";

/** How a screen is shown: RFB over one connection, or SPICE, of which every channel is a connection of its own. */
export type ScreenProtocol = "vnc" | "spice";

/** A viewer of a screen. */
export interface Viewer {
  readonly protocol: ScreenProtocol;
  /** What it sends; whoever carries it is told its end. */
  readonly input: AsyncIterable<Uint8Array>;
}

/** Drivers whose instances may have a screen. */
export interface HasScreen {
  /**
   * What the screen shows now, as a PNG file of at most 32 MiB.
   * @throws {ZorError} FAILED_PRECONDITION when this instance has no screen.
   */
  captureScreen(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<Uint8Array>;
  /**
   * Connects to the screen with its keyboard and pointer; the driver's own screens have no password. Several may be connected by VNC; by
   * SPICE a new viewer takes the place of the one before. As connections to servers inside otherwise.
   * @throws {ZorError} FAILED_PRECONDITION when this instance has no screen, or none of that protocol.
   */
  connectScreen(
    instance: DriverInstance,
    handle: RecoveryHandle,
    viewer: Viewer,
    options: CallOptions,
  ): AsyncIterable<FromServer>;
}
