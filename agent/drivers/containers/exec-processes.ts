import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { readIfExists } from "../../../lib/files.js";
import { findIdentity, type ProcessIdentity, signalProcess, waitForExit } from "../../../lib/process.js";

/** Processes of one session that are being ended may begin others meanwhile; whoever forks for ever is held first. */
const [endLimitMs, retryMs] = [5000, 10];
/** What is asked to end has this time to take back what it began. */
const askedMs = 1000;

/**
 * Ends a command in a container and all it began, unless that left its session with setsid(2): the runtime gives each command a
 * session. Processes are asked first; of those that do not follow all are stopped before any is killed, so that none can begin another in
 * between. Idempotent.
 * @param pid of the command on the host. When it has ended, nothing happens.
 * @param group text that the path of the container's control group has and no other's: a pid may have been used again.
 */
export async function endSessionOf(pid: number, group: string): Promise<void> {
  const session = await sessionOf(pid);
  if (session === 0) return;
  await askSession(session, group);
  const held = new Map<number, ProcessIdentity>();
  const deadline = performance.now() + endLimitMs;
  for (;;) {
    const found = await findMembers(session, group);
    const fresh = found.filter(({ pid, startTicks }) => held.get(pid)?.startTicks !== startTicks);
    if (fresh.length === 0 || performance.now() > deadline) break;
    for (const identity of fresh) {
      await signalProcess(identity, "SIGSTOP");
      held.set(identity.pid, identity);
    }
    // A process that was in the middle of forking shows its child only when it has stopped.
    await delay(retryMs);
  }
  for (const identity of held.values()) await signalProcess(identity, "SIGKILL");
  for (const identity of held.values()) await waitForExit(identity, Math.max(0, deadline - performance.now()));
}

async function askSession(session: number, group: string): Promise<void> {
  const asked = await findMembers(session, group);
  for (const identity of asked) await signalProcess(identity, "SIGTERM");
  const deadline = performance.now() + askedMs;
  for (const identity of asked) await waitForExit(identity, Math.max(0, deadline - performance.now()));
}

/** Number of the session that a process is in, on the host; 0: there is no such process. */
async function sessionOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // State, parent, group and session follow the name in parentheses, which may hold any character.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3] ?? 0);
}

/** The live processes of a container that are in this session. */
async function findMembers(session: number, group: string): Promise<readonly ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry) || (await sessionOf(Number(entry))) !== session) continue;
    const groups = await readFile(`/proc/${entry}/cgroup`, "utf8").catch(() => "");
    if (!groups.includes(group)) continue;
    const identity = await findIdentity(Number(entry));
    if (identity !== undefined) found.push(identity);
  }
  return found;
}

/** Pid of a process in its own namespace; 0: it has ended already. */
export async function pidInside(pid: number): Promise<number> {
  const status = (await readIfExists(`/proc/${pid}/status`)) ?? "";
  const [pids = ""] = /(?<=^NSpid:\s).*$/m.exec(status) ?? [];
  return Number(pids.trim().split(/\s+/).at(-1) ?? 0);
}
