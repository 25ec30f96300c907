import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { messageOf } from "../../../lib/errors.js";

/**
 * Connects to a unix socket in a directory. The path may be longer than the 107 bytes that sun_path holds: the directory is
 * reached through its descriptor.
 * @throws the system's error (ENOENT, ECONNREFUSED) or the signal's reason.
 */
export async function connectUnix(
  directory: string,
  name: string,
  options: { readonly signal: AbortSignal },
): Promise<Socket> {
  options.signal.throwIfAborted();
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ path: `/proc/self/fd/${handle.fd}/${name}` });
  const onAbort = () => socket.destroy(asError(options.signal.reason));
  options.signal.addEventListener("abort", onAbort, { once: true });
  socket.once("connect", () => resolve());
  socket.once("error", reject);
  try {
    await promise.finally(() => handle.close());
    // It may have been given up while the directory was being closed.
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
