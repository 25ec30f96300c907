import { readFile } from "node:fs/promises";
import { exists } from "../../../lib/files.js";

/** The rate of the host's time stamp counter in kHz, which emulated machines see too; undefined when the host does not tell it. */
export async function findTscKhz(): Promise<number | undefined> {
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  return parseTscKhz(text, await exists("/sys/devices/system/cpu/cpu0/cpufreq"));
}

/**
 * Reads the rate from /proc/cpuinfo; pure. "cpu MHz" is the counter's rate only where the kernel does not scale the frequency; else
 * the nominal rate in the model's name, which the counter of an x86 processor keeps, has to do.
 */
export function parseTscKhz(cpuinfo: string, scalesFrequency: boolean): number | undefined {
  const nominal = /^model name\s*:.*@ (\d+(?:\.\d+)?)GHz$/m.exec(cpuinfo)?.[1];
  const current = /^cpu MHz\s*:\s*(\d+(?:\.\d+)?)$/m.exec(cpuinfo)?.[1];
  if (!scalesFrequency && current !== undefined) return Math.round(Number(current) * 1000);
  return nominal === undefined ? undefined : Math.round(Number(nominal) * 1_000_000);
}
