import { readFileSync } from "node:fs";

/** Ticks of a process's times in a second (sysconf(_SC_CLK_TCK), 100 on every Linux). */
const ticksPerSecond = 100;

/** Processor time that a process has used, user and system, seconds. @throws when it is gone. */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of a process now, MiB. @throws when it is gone. */
export function residentMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kib ?? "0") / 1024;
}
