import { close, SystemCallError } from "../libc.js";
import { ioctl, openSocket } from "./socket-calls.js";
import { visitNetns } from "./visit-netns.js";

// Orders to a device (netdevice(7)); the numbers are the same on every architecture.
const [SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFINDEX] = [0x8913, 0x8914, 0x8933];
export const IFF_UP = 1;
const IFF_RUNNING = 0x40;
const IFF_PROMISC = 0x100;
const ifnamsiz = 16;
/** struct ifreq. */
const requestBytes = 40;

/** What the kernel tells of a device without any tool. */
export interface Device {
  readonly index: number;
  /** It takes frames for everybody. */
  readonly isPromiscuous: boolean;
  /** Nobody has set it down. */
  readonly isUp: boolean;
  /** It is up and has carrier. */
  readonly isRunning: boolean;
}

/**
 * A device of a net namespace by its name. Never waits, whatever the number of devices.
 * @param netns undefined: the thread's own.
 * @returns undefined: there is no such device, or no such namespace.
 */
export function findDevice(netns: string | undefined, device: string): Device | undefined {
  return visitNetns(netns, () => {
    const fd = openSocket();
    try {
      const flags = readFlags(fd, device);
      const [isPromiscuous, isRunning] = [(flags & IFF_PROMISC) !== 0, (flags & IFF_RUNNING) !== 0];
      const isUp = (flags & IFF_UP) !== 0;
      return { index: readIndex(fd, device), isPromiscuous, isUp, isRunning };
    } catch (error) {
      if (error instanceof SystemCallError) return undefined;
      throw error;
    } finally {
      close(fd);
    }
  });
}

/** @throws {SystemCallError} when there is no such device. */
export function readFlags(fd: number, device: string): number {
  return order(fd, SIOCGIFFLAGS, device).readUInt16LE(ifnamsiz);
}

/** @throws {SystemCallError} when there is no such device. */
export function setFlags(fd: number, device: string, flags: number): void {
  order(fd, SIOCSIFFLAGS, device, flags);
}

/** @throws {SystemCallError} when there is no such device. */
export function readIndex(fd: number, device: string): number {
  return order(fd, SIOCGIFINDEX, device).readInt32LE(ifnamsiz);
}

function order(fd: number, request: number, device: string, flags = 0): Buffer {
  const argument = Buffer.alloc(requestBytes);
  argument.write(device.slice(0, ifnamsiz - 1), "ascii");
  argument.writeUInt16LE(flags, ifnamsiz);
  ioctl(fd, request, argument, `asking ${device}`);
  return argument;
}
