import { readdir, readFile, readlink } from "node:fs/promises";

const ticksPerSecond = 100;

/** A process of the agent under test. */
export interface Process {
  readonly pid: number;
  readonly isGuest: boolean;
  /** Proportional set size, KiB. */
  readonly pssKib: number;
}

/** All processes whose arguments or working directory are below the agent's state directory. */
export async function processesOf(state: string): Promise<Process[]> {
  const found: Process[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const argv = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    const directory = await readlink(`/proc/${pid}/cwd`).catch(() => "");
    if (!directory.startsWith(state) && !argv.some((word) => word.includes(state))) continue;
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    const pssKib = Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
    found.push({ pid, isGuest: argv[0]?.includes("qemu-system") === true, pssKib });
  }
  return found;
}

/** Processor time that a process has used, seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
