import { createHash } from "node:crypto";
import { close } from "../../../lib/libc.js";
import { run } from "../../host/exec.js";
import { setUpQuietly } from "../../../lib/net/quiet-device.js";
import { widest } from "./queue-limits.js";
import { openTap, type TapOffload } from "./tap.js";

/** A tap in the switch's namespace, up, not yet plugged into a lan. */
export interface SwitchTap {
  readonly name: string;
  readonly fd: number;
  readonly offload: TapOffload;
  /** Deletes it; only for a tap that no worker has. */
  discard(): void;
}

/**
 * Makes a tap in this process's namespace, where the cable's sockets are, and moves it to the switch's; the descriptor stays attached.
 * @throws {ToolError} when a tool refuses, SystemCallError when the kernel does; nothing is left then.
 */
export async function makeTap(options: {
  readonly name: string;
  readonly netns: string | undefined;
  /** Frames it holds for its reader; default: what suits a cable. */
  readonly queueFrames?: number;
  readonly signal: AbortSignal;
}): Promise<SwitchTap> {
  const { name, netns, queueFrames = widest.tapFrames, signal } = options;
  const tap = openTap(name);
  const discard = (): void => {
    close(tap.fd);
  };
  try {
    if (netns !== undefined) await run("ip", ["link", "set", name, "netns", netns], { signal });
    const there = netns === undefined ? [] : ["-n", netns];
    // No address of its own: the host must not speak into the lan.
    const settings = ["address", macOf(name), "txqueuelen", String(queueFrames), "addrgenmode", "none"];
    await run("ip", [...there, "link", "set", name, ...settings], { signal });
    setUpQuietly(netns, name);
    return { ...tap, discard };
  } catch (error) {
    discard();
    throw error;
  }
}

/** A tap that is made anew keeps its address: neighbours remember it. */
function macOf(name: string): string {
  const hash = createHash("sha256").update(name).digest();
  return ["02", ...[0, 1, 2, 3, 4].map((index) => hash.toString("hex", index, index + 1))].join(":");
}
