import { closeSync, constants, openSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import type { ProcessIdentity } from "../../lib/process.js";

/** The kernel ended a process for want of memory. */
export interface OomKill {
  /** Control group whose limit was reached; undefined: the host itself had no memory left. */
  readonly group: string | undefined;
  /** What the process held, in MiB. */
  readonly heldMib: number;
}

/** The kernel's log holds some thousand records; one that is written faster than it is read must not hold the agent up. */
const maxRecords = 50_000;
const maxRecordBytes = 8192;
const ticksPerSecond = 100;

/** How the kernel ended a process for want of memory, for people and for programs. */
export interface OomReason {
  readonly text: string;
  /** The host itself had no memory left; otherwise a control group reached its limit. */
  readonly isHost: boolean;
  /** What there was, or was allowed, in MiB; undefined: not known. */
  readonly limitMib: number | undefined;
}

/** Looks in the kernel's log whether it ended this process for want of memory; undefined when it did not, or cannot be known. */
export async function describeOomKill(identity: ProcessIdentity): Promise<OomReason | undefined> {
  const kill = findOomKill(readKernelLog(), identity);
  if (kill === undefined) return undefined;
  const held = `it held ${kill.heldMib} MiB`;
  if (kill.group === undefined) {
    const limitMib = toMib(totalmem());
    return { text: `the host ran out of its ${limitMib} MiB of memory; ${held}`, isHost: true, limitMib };
  }
  const limitMib = await readLimitMib(kill.group);
  const name = kill.group.split("/").at(-1) ?? "";
  const limit = limitMib === undefined ? "" : ` of ${limitMib} MiB`;
  return { text: `its control group ${name} reached its limit${limit}; ${held}`, isHost: false, limitMib };
}

/**
 * Finds the record of the kernel's out of memory killer (mm/oom_kill.c) about a process; pure. A line before it says which limit was meant.
 * @param records as /dev/kmsg gives them: "6,339,5140900,-;text", the third number in microseconds since boot.
 */
export function findOomKill(records: readonly string[], { pid, startTicks }: ProcessIdentity): OomKill | undefined {
  const startUs = (Number(startTicks) / ticksPerSecond) * 1_000_000;
  let group: string | undefined;
  let found: OomKill | undefined;
  for (const record of records) {
    const [, time, text] = /^\d+,\d+,(\d+)[^;]*;(.*)$/m.exec(record) ?? [];
    // An earlier process may have had the same pid.
    if (text === undefined || Number(time) < startUs) continue;
    const cause = /^oom-kill:constraint=(\w+),.*?(?:oom_memcg=([^,]*),.*)?task=.*,pid=(\d+),/.exec(text);
    if (cause !== null && Number(cause[3]) === pid) group = cause[1] === "CONSTRAINT_MEMCG" ? cause[2] : undefined;
    const killed = /(?:out of memory|Out of memory).*: Killed process (\d+) .*anon-rss:(\d+)kB/.exec(text);
    if (killed !== null && Number(killed[1]) === pid) found = { group, heldMib: Math.round(Number(killed[2]) / 1024) };
  }
  return found;
}

/** All records of the kernel's log; none when it may not be read. */
function readKernelLog(): string[] {
  const records: string[] = [];
  let fd: number;
  try {
    fd = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return records;
  }
  const buffer = Buffer.alloc(maxRecordBytes);
  try {
    while (records.length < maxRecords) {
      const record = readRecord(fd, buffer);
      if (record === undefined) return records;
      if (record !== "") records.push(record);
    }
    return records;
  } finally {
    closeSync(fd);
  }
}

/** One read(2) gives one record. "": it was overwritten before it was read; undefined: there are no more. */
function readRecord(fd: number, buffer: Buffer): string | undefined {
  try {
    return buffer.toString("utf8", 0, readSync(fd, buffer));
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPIPE" ? "" : undefined;
  }
}

/** The limit of a control group of either version; undefined when it has none, or is gone. */
async function readLimitMib(group: string): Promise<number | undefined> {
  const paths = [`/sys/fs/cgroup${group}/memory.max`, `/sys/fs/cgroup/memory${group}/memory.limit_in_bytes`];
  for (const path of paths) {
    const bytes = Number(await readFile(path, "utf8").catch(() => "none"));
    if (Number.isFinite(bytes) && bytes < 2 ** 62) return toMib(bytes);
  }
  return undefined;
}

function toMib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
