import { readdir, readFile, readlink } from "node:fs/promises";
import koffi from "koffi";

const libc = koffi.load("libc.so.6");
// koffi types every function as (...args: any[]) => any; the declared C prototypes make these casts true.
const syscall = libc.func("long syscall(long number, long first, long second, long third)") as unknown as (
  ...numbers: [number, number, number, number]
) => number;
const setsockopt = libc.func(
  "int setsockopt(int fd, int level, int name, const void *value, uint length)",
) as unknown as (fd: number, level: number, name: number, value: Buffer, length: number) => number;
const close = libc.func("int close(int fd)") as unknown as (fd: number) => number;

// The same numbers on all architectures that Node runs on.
const [SYS_pidfd_open, SYS_pidfd_getfd] = [434, 438];
const [SOL_SOCKET, SO_RCVBUFFORCE] = [1, 33];

/**
 * Receive buffer of each port, in bytes; the kernel doubles it for its own book-keeping. With segmentation offload one frame is up to
 * 64 KiB, of which the kernel's default of 208 KiB holds two or three: every burst of a TCP stream then loses frames.
 */
const receiveBufferBytes = 4 * 1024 * 1024;

/**
 * Gives every packet socket of a userspace datapath a buffer that holds a burst of super-frames. Does nothing for the kernel datapath,
 * which has none. Idempotent and cheap. Resolves to how many sockets were set; never rejects: without it lans are slower, not broken.
 */
export async function growPacketBuffers(vswitchdPid: number): Promise<number> {
  try {
    const inodes = await packetSocketInodes(vswitchdPid);
    if (inodes.size === 0) return 0;
    const pidfd = syscall(SYS_pidfd_open, vswitchdPid, 0, 0);
    if (pidfd < 0) return 0;
    try {
      return await growAll(vswitchdPid, pidfd, inodes);
    } finally {
      close(pidfd);
    }
  } catch {
    // The daemon ended meanwhile; its successor opens its ports anew.
    return 0;
  }
}

async function growAll(pid: number, pidfd: number, inodes: ReadonlySet<string>): Promise<number> {
  const value = Buffer.alloc(4);
  value.writeInt32LE(receiveBufferBytes);
  let grown = 0;
  for (const name of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode === undefined || !inodes.has(inode)) continue;
    const fd = syscall(SYS_pidfd_getfd, pidfd, Number(name), 0);
    if (fd < 0) continue;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, value.length) === 0) grown += 1;
    close(fd);
  }
  return grown;
}

/** Packet sockets of the process's net namespace, from /proc/{pid}/net/packet; the inode is the last column. */
async function packetSocketInodes(pid: number): Promise<ReadonlySet<string>> {
  const [, ...lines] = (await readFile(`/proc/${pid}/net/packet`, "utf8")).trim().split("\n");
  return new Set(lines.map((line) => line.trim().split(/\s+/).at(-1) ?? ""));
}
