import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readArguments } from "../../../lib/process.js";

/** A process that holds a lock on a file. */
export interface LockHolder {
  readonly pid: number;
  /** Name of its program. */
  readonly program: string;
  /** Id of the machine, when it is one of an agent's. */
  readonly machine: string | undefined;
}

/** A file as the kernel names it among locks: "major:minor:inode", in hexadecimal, hexadecimal and decimal. */
export function toLockName({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  // The encoding of gnu_dev_major(3) and gnu_dev_minor(3).
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  const hex = (value: bigint) => value.toString(16).padStart(2, "0");
  return `${hex(major)}:${hex(minor)}:${ino}`;
}

/**
 * Finds who holds locks on a file. /proc/locks tells no owner of the locks that QEMU takes (they belong to open files), but each
 * process's /proc/PID/fdinfo lists those of its own (proc(5)).
 * @param lockName see {@link toLockName}.
 */
export async function findLockHolders(lockName: string): Promise<readonly LockHolder[]> {
  const holders: LockHolder[] = [];
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids) {
    if (await holdsLock(pid, lockName)) holders.push(await describe(pid));
  }
  return holders;
}

async function holdsLock(pid: number, lockName: string): Promise<boolean> {
  const directory = join("/proc", `${pid}`, "fdinfo");
  for (const fd of await readdir(directory).catch(() => [])) {
    // It may have ended, or closed the file, by now.
    const text = await readFile(join(directory, fd), "utf8").catch(() => "");
    if (text.split("\n").some((line) => line.startsWith("lock:") && line.split(/\s+/).includes(lockName))) return true;
  }
  return false;
}

async function describe(pid: number): Promise<LockHolder> {
  const words = await readArguments(pid);
  const guest = words[words.indexOf("-name") + 1] ?? "";
  const program = (words[0] ?? "").split("/").at(-1) ?? "";
  const machine = words.includes("-name") && words.includes("-uuid") ? /^guest=([\w.-]+)/.exec(guest)?.[1] : undefined;
  return { pid, program: program === "" ? "a process" : program, machine };
}
