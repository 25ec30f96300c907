import { type Server, Socket, type SocketConstructorOpts } from "node:net";
import { SystemCallError } from "../../../lib/libc.js";
import { createStreamSocket } from "../../../lib/net/socket-calls.js";
import { setCongestionControl } from "../native.js";

/** Congestion control that is part of nearly every kernel, and never paces by itself. */
export const unpaced = "cubic";

/**
 * A TCP socket, not yet connected, that the kernel does not pace. That must be chosen before it connects: BBR, once begun on a
 * connection, leaves pacing switched on even when another algorithm takes over, and then each few segments wait for a timer.
 * @param ip what it will be connected to. @throws {SystemCallError} when there is no descriptor left.
 */
export function unpacedSocket(ip: string): Socket {
  const fd = createStreamSocket(ip.includes(":") ? "ipv6" : "ipv4");
  dropPacing(fd);
  // Without manualStart, which Node's types do not know, it would be read before it is connected.
  const options: SocketConstructorOpts & { readonly manualStart: boolean } = { fd, manualStart: true };
  return new Socket(options);
}

/** Connections that the server accepts from now on are not paced. Call while it listens. */
export function acceptUnpaced(server: Server): void {
  // The descriptor has no public name.
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } | null };
  if (handle !== null) dropPacing(handle.fd);
}

function dropPacing(fd: number): void {
  try {
    setCongestionControl(fd, unpaced);
  } catch (error) {
    // The kernel lacks it: connections work as its default makes them.
    if (!(error instanceof SystemCallError)) throw error;
  }
}
