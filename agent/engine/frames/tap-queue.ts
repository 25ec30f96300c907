import { close, SystemCallError } from "../../../lib/libc.js";
import { ioctl, openSocket } from "../../../lib/net/socket-calls.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";

const SIOCSIFTXQLEN = 0x8943;
const ifnamsiz = 16;
/** struct ifreq. */
const requestBytes = 40;

/**
 * Sets how many frames taps hold for their readers; those of taps that are gone, or in a namespace that is, are left alone, and so are
 * all when there are too many open files.
 */
export function setTapQueues(netns: string | undefined, framesByTap: ReadonlyMap<string, number>): void {
  if (framesByTap.size === 0) return;
  visitNetns(netns, () => {
    // Any socket takes orders for the devices of the namespace it was made in.
    const fd = openSocketIfPossible();
    if (fd === undefined) return;
    try {
      for (const [tap, frames] of framesByTap) setTapQueue(fd, tap, frames);
    } finally {
      close(fd);
    }
  });
}

function openSocketIfPossible(): number | undefined {
  try {
    return openSocket();
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    return undefined;
  }
}

function setTapQueue(fd: number, tap: string, frames: number): void {
  const request = Buffer.alloc(requestBytes);
  request.write(tap.slice(0, ifnamsiz - 1), "ascii");
  request.writeInt32LE(frames, ifnamsiz);
  try {
    ioctl(fd, SIOCSIFTXQLEN, request, `setting the queue of tap ${tap}`);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
  }
}
