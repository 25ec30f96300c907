import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive, type ProcessIdentity, signalProcess } from "../../../lib/process.js";

/** Looks at a QEMU that should end; so many in a row show it quite still when it never will. */
const [defaultLookMs, stillLooks] = [500, 8];

/**
 * {@link endWhenStill}, but for one that {@link reachesServers}: it may sleep because a server is slow to write what its guest has written,
 * and that is never cut short.
 */
export async function endIfHung(identity: ProcessIdentity, signal: AbortSignal): Promise<boolean> {
  return !(await reachesServers(identity)) && (await endWhenStill(identity, signal));
}

/**
 * Ends a QEMU that has told that its machine is off and does not end: QEMU 7.2 waits for ever when a command reaches it while it closes its
 * monitors, which it does after its disks. One that still writes to them is left to do so, however long that takes: only one whose threads all
 * sleep and that reads and writes nothing for 4 s is ended. Resolves to whether it was, when it has gone or the signal aborts.
 */
export async function endWhenStill(
  identity: ProcessIdentity,
  signal: AbortSignal,
  lookMs = defaultLookMs,
): Promise<boolean> {
  let [before, looks] = ["", 0];
  while (!signal.aborted && (await isAlive(identity))) {
    const now = await workOf(identity.pid);
    looks = now !== undefined && now === before ? looks + 1 : 0;
    if (looks >= stillLooks) return await signalProcess(identity, "SIGKILL");
    before = now ?? "";
    await delay(lookMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

/**
 * Whether a QEMU has storage on servers, and so is in the network of the host: while it waits for such a server to write what it was given
 * last, all its threads sleep and the kernel counts nothing. One that has ended has none.
 */
export async function reachesServers({ pid }: ProcessIdentity): Promise<boolean> {
  const [own, its] = await Promise.all(
    ["self", pid].map((each) => readlink(`/proc/${each}/ns/net`).catch(() => undefined)),
  );
  return its !== undefined && own === its;
}

/** Where a thread sleeps that waits for a file system in user space (FUSE), whose own storage may be slow. */
const waitsForFuse = /fuse|request_wait_answer/;

/** What a process has read, written and computed by now; undefined while one of its threads works or waits for a disk. */
async function workOf(pid: number): Promise<string | undefined> {
  try {
    const seen = [await readFile(`/proc/${pid}/io`, "utf8")];
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, "utf8");
      // From the state on, which is the first field after the program's name.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] !== "S") return undefined;
      const where = await readFile(`/proc/${pid}/task/${thread}/wchan`, "utf8").catch(() => "");
      if (waitsForFuse.test(where)) return undefined;
      seen.push(thread, ...fields.slice(11, 13));
    }
    return seen.join("\n");
  } catch {
    // It ends, or a thread of it just has.
    return undefined;
  }
}
