import { once } from "node:events";
import { open } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { basename, dirname } from "node:path";

/** Connects to a unix socket of a program of ours, whose path may be longer than the 107 bytes of sun_path; undefined: nobody listens there. */
export async function tryConnect(path: string): Promise<Socket | undefined> {
  const directory = await open(dirname(path)).catch(() => undefined);
  if (directory === undefined) return undefined;
  const socket = connect(`/proc/self/fd/${directory.fd}/${basename(path)}`);
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    socket.destroy();
    return undefined;
  } finally {
    await directory.close();
  }
}
