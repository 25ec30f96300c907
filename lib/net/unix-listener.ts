import { type FileHandle, open } from "node:fs/promises";
import { checked, close, libc } from "../libc.js";

const [afUnix, sockStream, sockCloexec] = [1, 1, 0o2000000];
/** struct sockaddr_un. */
const [addressBytes, pathAt, maxPath] = [110, 2, 107];

const socketFunction = libc.func("int socket(int domain, int type, int protocol)") as unknown as (
  domain: number,
  type: number,
  protocol: number,
) => number;
const bindFunction = libc.func("int bind(int fd, const uint8_t *address, uint length)") as unknown as (
  fd: number,
  address: Buffer,
  length: number,
) => number;
const listenFunction = libc.func("int listen(int fd, int backlog)") as unknown as (
  fd: number,
  backlog: number,
) => number;

/**
 * A unix socket that listens under a name in a directory, as a descriptor that the caller closes: for a program that is to accept from it. The
 * directory's path may be longer than the 107 bytes of sun_path. @throws {SystemCallError}
 */
export async function listenUnix(directory: string, name: string): Promise<number> {
  const handle: FileHandle = await open(directory);
  try {
    const path = Buffer.from(`/proc/self/fd/${handle.fd}/${name}`);
    if (path.length > maxPath) throw new Error(`${name} is too long for a socket`);
    const address = Buffer.alloc(addressBytes);
    address.writeUInt16LE(afUnix, 0);
    path.copy(address, pathAt);
    const fd = checked("socket", socketFunction(afUnix, sockStream | sockCloexec, 0));
    try {
      checked("bind", bindFunction(fd, address, addressBytes));
      checked("listen", listenFunction(fd, 1));
      return fd;
    } catch (error) {
      close(fd);
      throw error;
    }
  } finally {
    await handle.close();
  }
}
