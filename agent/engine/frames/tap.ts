import { createHash } from "node:crypto";
import { closeSync, constants, openSync } from "node:fs";
import { NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { toLearnFrame } from "../../../lib/net/test-frame.js";
import { dataBytes } from "./frame.js";
import { ioctl } from "../../../lib/net/socket-calls.js";
import { read, setNonBlocking, write } from "../native.js";

// Values of linux/if_tun.h; the ioctl numbers are those of every architecture except MIPS, PowerPC, SPARC and Alpha.
const TUNSETIFF = 0x4004_54ca;
const TUNSETOFFLOAD = 0x4004_54d0;
const TUNSETVNETHDRSZ = 0x4004_54d8;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO6 = 0x04;
const TUN_F_TSO_ECN = 0x08;
const TUN_F_USO4 = 0x20;
const TUN_F_USO6 = 0x40;
const ifnamsiz = 16;
/** Frames thrown away at once. */
const drainFrames = 64;

/** How much of segmentation and checksums the reader of a tap leaves undone. */
export type TapOffload = "none" | "tso" | "uso";

const offloadFlags: Readonly<Record<TapOffload, number>> = {
  none: 0,
  tso: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
  uso: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
};

/** An open tap. It exists as long as the descriptor is open, in whichever namespace it was moved to. */
export interface Tap {
  readonly name: string;
  readonly fd: number;
  /** The most the kernel can do. */
  readonly offload: TapOffload;
}

/**
 * Makes a tap in the current net namespace. Every frame read or written has a 12-byte virtio-net header.
 * @throws {SystemCallError} EBUSY when a device of that name is there; EPERM without CAP_NET_ADMIN.
 */
export function openTap(name: string): Tap {
  const fd = openSync("/dev/net/tun", constants.O_RDWR);
  try {
    const request = Buffer.alloc(40);
    request.write(name.slice(0, ifnamsiz - 1), "ascii");
    request.writeUInt16LE(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, ifnamsiz);
    ioctl(fd, TUNSETIFF, request, `making tap ${name}`);
    const size = Buffer.alloc(4);
    size.writeInt32LE(12);
    ioctl(fd, TUNSETVNETHDRSZ, size, `setting the header size of tap ${name}`);
    setNonBlocking(fd);
    return { name, fd, offload: probeOffload(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Tells the kernel what the reader of the tap can take. */
export function setTapOffload(fd: number, offload: TapOffload): void {
  ioctl(fd, TUNSETOFFLOAD, offloadFlags[offload], `setting tap offloads to ${offload}`);
}

/** Throws away a bounded number of frames of a cable that is down: they must not come out late. Returns how many. */
export function drainTap(fd: number, scratch: NativeMemory): number {
  let dropped = 0;
  while (dropped < drainFrames && read(fd, scratch.address, dataBytes.max) > 0) dropped += 1;
  return dropped;
}

/** Writes a frame that the switch gets and forwards to nobody. False when the tap does not take it. */
export function sendTestFrame({ fd, name }: Pick<Tap, "fd" | "name">): boolean {
  const headerBytes = 12;
  const address = createHash("sha256").update(`zor-tap-test\0${name}`).digest().subarray(0, 5);
  const learn = toLearnFrame(Buffer.concat([Buffer.from([0x02]), address]));
  const frame = new NativeMemory(headerBytes + learn.length);
  frame.buffer.fill(0);
  learn.copy(frame.buffer, headerBytes);
  return write(fd, frame.address, frame.buffer.length) === frame.buffer.length;
}

function probeOffload(fd: number): TapOffload {
  for (const offload of ["uso", "tso"] as const) {
    try {
      setTapOffload(fd, offload);
      return offload;
    } catch (error) {
      // Kernels before 6.2 do not know USO.
      if (!(error instanceof SystemCallError)) throw error;
    }
  }
  return "none";
}
