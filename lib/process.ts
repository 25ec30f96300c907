import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/{pid}/stat. */
  readonly startTicks: string;
}

/** The process that a record names as JSON; undefined: it is no such record. */
export function parseIdentity(text: string | undefined): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    if (typeof value !== "object" || value === null || !("pid" in value) || !("startTicks" in value)) return undefined;
    const { pid, startTicks } = value;
    return typeof pid === "number" && typeof startTicks === "string" ? { pid, startTicks } : undefined;
  } catch {
    // It may be missing, or cut off by a full disk.
    return undefined;
  }
}

/**
 * Start ticks of a live process; undefined when it does not exist or is a zombie. One whose first thread has ended is alive until its
 * last has: a killed process shows as a zombie while its other threads still hold files, devices and locks.
 */
export async function findStartTicks(pid: number): Promise<string | undefined> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  // The command name stands in parentheses and may itself hold spaces and parentheses: fields count from the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const ended = state === "X" || (state === "Z" && !(await hasOtherThreads(pid)));
  return ended ? undefined : fields[19];
}

async function hasOtherThreads(pid: number): Promise<boolean> {
  return (await readdir(`/proc/${pid}/task`).catch(() => [])).length > 1;
}

/** The identity of a live process. */
export async function findIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const startTicks = await findStartTicks(pid);
  return startTicks === undefined ? undefined : { pid, startTicks };
}

/** Whether exactly this process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await findStartTicks(identity.pid)) === identity.startTicks;
}

/** Arguments of a process, program first; empty when it does not exist or is a kernel thread. */
export async function readArguments(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

/** Live processes whose arguments satisfy the predicate. Reads all of /proc: for recovery, not for polling. */
export async function findProcesses(matches: (argv: readonly string[]) => boolean): Promise<ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    if (!matches(await readArguments(pid))) continue;
    const identity = await findIdentity(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}

/** Sends a signal to exactly this process; false when it no longer runs. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals | number): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    // It ended between the check and the signal.
    return false;
  }
}

/** Waits until the process has ended; false when it still runs after the time. */
export async function waitForExit(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (await isAlive(identity)) {
    if (performance.now() >= deadline) return false;
    await delay(20);
  }
  return true;
}

/** Ends a process with SIGTERM and, when it does not follow within the time, SIGKILL. Resolves when it has ended. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  await signalProcess(identity, "SIGTERM");
  if (await waitForExit(identity, graceMs)) return;
  await signalProcess(identity, "SIGKILL");
  await waitForExit(identity, 5000);
}

/** When a process with these start ticks began; undefined when the boot time cannot be read. */
export async function startTimeOf(identity: ProcessIdentity): Promise<Date | undefined> {
  const text = await readFile("/proc/stat", "utf8").catch(() => "");
  const boot = /^btime (\d+)$/m.exec(text)?.[1];
  // The kernel reports /proc times in USER_HZ, which is 100 on every Linux architecture Node runs on.
  return boot === undefined ? undefined : new Date(Number(boot) * 1000 + Number(identity.startTicks) * 10);
}
