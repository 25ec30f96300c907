import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.js";
import { holdExactly } from "./open-exactly.js";

/**
 * Connects to a unix socket in a directory that belongs to whoever listens: a link in its place would lead to any socket of the
 * host, so the socket is held first and reached through its descriptor. Its path may be longer than the 107 bytes of sun_path.
 * @throws the system's error (ENOENT, ECONNREFUSED) or the signal's reason.
 */
export async function connectUnix(
  directory: string,
  name: string,
  options: { readonly signal: AbortSignal },
): Promise<Socket> {
  options.signal.throwIfAborted();
  using held = await holdExactly(join(directory, name));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ path: held.path });
  const onAbort = () => socket.destroy(asError(options.signal.reason));
  options.signal.addEventListener("abort", onAbort, { once: true });
  socket.once("connect", () => resolve());
  socket.once("error", reject);
  try {
    await promise;
    options.signal.throwIfAborted();
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    socket.removeListener("error", reject);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(messageOf(reason));
}

/** A socket that is still wanted. QEMU serves one client at a time: one that is forgotten keeps all others out. */
export function keptUnless(abort: AbortSignal, socket: Socket): Socket {
  if (abort.aborted) socket.destroy();
  abort.throwIfAborted();
  return socket;
}
