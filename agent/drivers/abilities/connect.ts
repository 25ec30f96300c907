import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** Where a server inside an instance listens. */
export interface GuestServer {
  /** IP address as seen inside. */
  readonly address: string;
  readonly port: number;
}

/** What a connection into an instance gives: "opened" first, "end" when the server sends no more. */
export type FromServer =
  | { readonly type: "opened" }
  | { readonly type: "data"; readonly data: Uint8Array }
  | { readonly type: "end" };

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
    to: GuestServer & { readonly input: AsyncIterable<Uint8Array> },
    options: CallOptions,
  ): AsyncIterable<FromServer>;
}
