import type { Socket } from "node:net";
import koffi from "koffi";
import { checked, libc } from "../../lib/libc.js";

// sendmsg(2); koffi types every function as (...args: any[]) => any.
const sendmsg = libc.func("long sendmsg(int fd, const void *message, int flags)") as unknown as (
  fd: number,
  message: Buffer,
  flags: number,
) => number;
const [socketLevel, rights, noSignal] = [1, 1, 0x4000];
/** struct msghdr, struct iovec, and struct cmsghdr with one descriptor, of 64-bit systems. */
const sizes = { message: 56, vector: 16, control: 24 } as const;

/**
 * Sends text with an open descriptor over a unix socket (unix(7), SCM_RIGHTS): the other side gets a descriptor of its own for the same
 * open file. Nothing else may wait to be sent.
 * @throws {Error} when the socket is closed, or busy; {SystemCallError}.
 */
export function sendDescriptor(socket: Socket, text: string, descriptor: number): void {
  // Node has no public way to the descriptor of a socket; it has been here since the first versions.
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
  if (fd < 0) throw new Error("the socket is closed");
  if (socket.writableLength > 0) throw new Error("the socket is busy");
  const bytes = Buffer.from(text);
  const address = (buffer: Buffer): bigint => BigInt(koffi.address(buffer));
  const vector = Buffer.alloc(sizes.vector);
  vector.writeBigUInt64LE(address(bytes), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  const control = Buffer.alloc(sizes.control);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(socketLevel, 8);
  control.writeInt32LE(rights, 12);
  control.writeInt32LE(descriptor, 16);
  const message = Buffer.alloc(sizes.message);
  message.writeBigUInt64LE(address(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(address(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  const sent = checked("sendmsg", sendmsg(fd, message, noSignal));
  if (sent !== bytes.length) throw new Error("the socket took only a part");
}
