import { readFile } from "node:fs/promises";
import { libc } from "../../../lib/libc.js";
import { withDescriptorsOf } from "../../host/descriptors-of.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype makes this cast true.
const setsockopt = libc.func(
  "int setsockopt(int fd, int level, int name, const void *value, uint length)",
) as unknown as (fd: number, level: number, name: number, value: Buffer, length: number) => number;

const [SOL_SOCKET, SO_SNDBUFFORCE, SO_RCVBUFFORCE] = [1, 32, 33];

/**
 * Receive buffer of each port, in bytes; the kernel doubles it for its own book-keeping. With segmentation offload one frame is up to
 * 64 KiB, of which the kernel's default of 208 KiB holds two or three: every burst of a TCP stream then loses frames.
 */
const receiveBufferBytes = 4 * 1024 * 1024;
/**
 * Send buffer of the one socket that frames to all ports go through. What waits in the queue of a port whose rate is limited counts
 * as sent by it: with the kernel's 208 KiB a few super-frames to one such port would keep frames from all others.
 */
const sendBufferBytes = 64 * 1024 * 1024;

/**
 * Gives every packet socket of a userspace datapath a buffer that holds a burst of super-frames. Does nothing for the kernel datapath,
 * which has none. Idempotent and cheap. Resolves to how many sockets were set; never rejects: without it lans are slower, not broken.
 */
export async function growPacketBuffers(vswitchdPid: number): Promise<number> {
  try {
    const inodes = await packetSocketInodes(vswitchdPid);
    if (inodes.size === 0) return 0;
    return await growAll(vswitchdPid, inodes);
  } catch {
    // The daemon ended meanwhile; its successor opens its ports anew.
    return 0;
  }
}

async function growAll(pid: number, inodes: ReadonlySet<string>): Promise<number> {
  const options = [
    { name: SO_RCVBUFFORCE, value: toInt(receiveBufferBytes) },
    { name: SO_SNDBUFFORCE, value: toInt(sendBufferBytes) },
  ];
  let grown = 0;
  const isPacketSocket = (target: string): boolean => inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? "");
  await withDescriptorsOf(pid, isPacketSocket, (fd) => {
    if (options.every(({ name: option, value }) => setsockopt(fd, SOL_SOCKET, option, value, value.length) === 0))
      grown += 1;
  });
  return grown;
}

function toInt(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** Packet sockets of the process's net namespace, from /proc/{pid}/net/packet; the inode is the last column. */
async function packetSocketInodes(pid: number): Promise<ReadonlySet<string>> {
  const [, ...lines] = (await readFile(`/proc/${pid}/net/packet`, "utf8")).trim().split("\n");
  return new Set(lines.map((line) => line.trim().split(/\s+/).at(-1) ?? ""));
}
