import { closeSync, openSync } from "node:fs";
import { failedPrecondition } from "../../../lib/errors.js";
import { isAlive } from "../../../lib/process.js";
import { type Dialled, dial } from "../../network/dial.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { CallOptions, RecoveryHandle } from "../driver-instance.js";

/**
 * Connects to a server in the net namespace of a process. The socket is made there and stays of there; nothing inside is needed for it, and
 * nothing inside can reach what connects.
 */
export async function* connectInNetns(
  process: RecoveryHandle,
  to: Dialled,
  { signal, resource }: CallOptions & { readonly resource: string },
): AsyncGenerator<FromServer> {
  const fd = await socketOf(process, to.address, resource);
  yield* dial(fd, to, { signal, resource, from: "inside" });
}

async function socketOf(process: RecoveryHandle, address: string, resource: string): Promise<number> {
  // Loaded on first use: the agent stays small as long as nobody connects.
  const { createStreamSocket, enterNetNamespace } = await import("../../../lib/net/socket-calls.js");
  const ended = (): Error => failedPrecondition("NOT_RUNNING", resource, `${resource} has ended; start it first`);
  let there: number;
  try {
    there = openSync(`/proc/${process.pid}/ns/net`, "r");
  } catch {
    throw ended();
  }
  const home = openSync("/proc/thread-self/ns/net", "r");
  try {
    // The pid may have become another's before it was opened.
    if (!(await isAlive(process))) throw ended();
    enterNetNamespace(there);
    try {
      return createStreamSocket(address.includes(":") ? "ipv6" : "ipv4");
    } finally {
      enterNetNamespace(home);
    }
  } finally {
    closeSync(home);
    closeSync(there);
  }
}
