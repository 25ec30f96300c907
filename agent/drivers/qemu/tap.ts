import { closeSync, constants, openSync } from "node:fs";
import koffi from "koffi";

/** linux/if_tun.h, linux/if.h */
const tunSetIff = 0x400454ca;
const flags = { tap: 0x0002, noPacketInfo: 0x1000, vnetHeader: 0x4000, multiQueue: 0x0100 } as const;
const interfaceNameBytes = 16;
const ifreqBytes = 40;
/** linux/sched.h */
const cloneNewNet = 0x40000000;

interface LibC {
  readonly setns: (fd: number, type: number) => number;
  readonly ioctl: (fd: number, request: number, argument: Buffer) => number;
}

let libc: LibC | undefined;

function loadLibC(): LibC {
  // Loaded on first use: an agent without machines needs no foreign functions.
  libc ??= bind(koffi.load("libc.so.6"));
  return libc;
}

function bind(library: ReturnType<typeof koffi.load>): LibC {
  return {
    setns: library.func("int setns(int fd, int nstype)"),
    ioctl: library.func("int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)"),
  };
}

/** A tap to open. */
export interface TapToOpen {
  readonly name: string;
  /** Times it is opened; a tap of more than one queue must have been made for that. */
  readonly queues: number;
}

/**
 * Opens existing taps in a named net namespace, with the virtio header that carries offloads, and returns the descriptors of
 * each, to be closed by the caller. A program that inherits them needs no right to open /dev/net/tun and no place in that namespace.
 * Synchronous: between entering and leaving the namespace nothing else may run on this thread.
 * @throws {Error} when the namespace or a tap cannot be opened; nothing stays open then.
 */
export function openTaps(netns: string, taps: readonly TapToOpen[]): number[][] {
  if (taps.length === 0) return [];
  const { setns, ioctl } = loadLibC();
  const own = openSync("/proc/thread-self/ns/net", constants.O_RDONLY);
  const opened: number[][] = [];
  try {
    const target = openSync(`/run/netns/${netns}`, constants.O_RDONLY);
    try {
      if (setns(target, cloneNewNet) !== 0) throw systemError(`cannot enter net namespace ${netns}`);
    } finally {
      closeSync(target);
    }
    try {
      // A descriptor belongs to the namespace in which it was opened.
      for (const { name, queues } of taps) {
        const fds: number[] = [];
        opened.push(fds);
        for (let queue = 0; queue < queues; queue += 1) fds.push(openTap(name, queues > 1, ioctl));
      }
    } finally {
      // A thread left in a foreign namespace would do all its later work there: there is no safe way on.
      if (setns(own, cloneNewNet) !== 0) process.abort();
    }
    return opened;
  } catch (error) {
    for (const fd of opened.flat()) closeSync(fd);
    throw error;
  } finally {
    closeSync(own);
  }
}

function openTap(name: string, isMultiQueue: boolean, ioctl: LibC["ioctl"]): number {
  const fd = openSync("/dev/net/tun", constants.O_RDWR);
  const request = Buffer.alloc(ifreqBytes);
  request.write(name, 0, interfaceNameBytes - 1, "latin1");
  const several = isMultiQueue ? flags.multiQueue : 0;
  request.writeUInt16LE(flags.tap | flags.noPacketInfo | flags.vnetHeader | several, interfaceNameBytes);
  if (ioctl(fd, tunSetIff, request) === 0) return fd;
  const error = systemError(`cannot attach to tap ${name}`);
  closeSync(fd);
  throw error;
}

function systemError(what: string): Error {
  return new Error(`${what} (errno ${koffi.errno()})`);
}
