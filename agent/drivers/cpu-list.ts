import { readFile } from "node:fs/promises";

const maxCpu = 4095;

/** Reads a list of CPUs, "0-3,8", into their numbers in order; undefined when it is none; pure. */
export function parseCpuList(text: string): readonly number[] | undefined {
  const cpus = new Set<number>();
  for (const range of text.split(",")) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(range);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (first > last || last > maxCpu) return undefined;
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** Numbers of CPUs as a list without ranges, "0,1,8"; pure. */
export function toCpuList(cpus: readonly number[]): string {
  return cpus.join(",");
}

/** CPUs of the host that are switched on. */
export async function readOnlineCpus(): Promise<readonly number[]> {
  const text = await readFile("/sys/devices/system/cpu/online", "utf8");
  return parseCpuList(text.trim()) ?? [];
}
