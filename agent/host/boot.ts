import { readFile } from "node:fs/promises";

/** One run of the host's kernel. */
export interface Boot {
  /** Another one after each restart of the host; "" when the kernel does not tell. */
  readonly id: string;
  /** When it began. */
  readonly time: Date | undefined;
}

/** The run that is now. */
export async function readBoot(): Promise<Boot> {
  const id = (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();
  const began = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8").catch(() => ""))?.[1];
  return { id, time: began === undefined ? undefined : new Date(Number(began) * 1000) };
}
