import { readTcpMinRttMs, SystemCallError, setCongestionControl } from "./native.js";

/** Paths with a shorter round trip than this are within a building. */
const nearMs = 2;
/** Part of nearly every kernel, and never paced. */
const unpaced = "cubic";

/**
 * Keeps the kernel from pacing a connection between hosts that are near each other. A host may have BBR as its congestion control,
 * which suits long lossy paths, but sends every few segments from a timer of their own: on a short fast path that costs more than
 * all the rest. Far hosts keep what their administrator chose.
 */
export function avoidPacing(fd: number): void {
  try {
    if (readTcpMinRttMs(fd) < nearMs) setCongestionControl(fd, unpaced);
  } catch (error) {
    // The kernel lacks it, or the socket just broke, which the next read tells: the connection works as it is.
    if (!(error instanceof SystemCallError)) throw error;
  }
}
