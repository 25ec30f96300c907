import { checked, libc } from "../libc.js";

const [afUnix, sockStream, sockCloexec] = [1, 1, 0o2000000];
const intBytes = 4;

const socketPair = libc.func("int socketpair(int domain, int type, int protocol, _Out_ uint8_t *fds)") as unknown as (
  domain: number,
  type: number,
  protocol: number,
  fds: Buffer,
) => number;

/** Two connected stream sockets without a name (socketpair(2)), as descriptors that the caller closes. @throws {SystemCallError} */
export function createSocketPair(): readonly [number, number] {
  const fds = Buffer.alloc(2 * intBytes);
  checked("socketpair", socketPair(afUnix, sockStream | sockCloexec, 0, fds));
  return [fds.readInt32LE(0), fds.readInt32LE(intBytes)];
}
