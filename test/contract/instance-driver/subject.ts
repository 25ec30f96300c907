import { readFile } from "node:fs/promises";
import type { Abilities, InstanceDriver, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { isAlive } from "../../../lib/process.js";
import type { InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";

/** Where a driver under test works. */
export interface SubjectContext {
  /** Directory with images; a test may add more. */
  readonly imageDirectory: string;
  readonly stateDirectory: string;
}

/** How the processes of real drivers are looked at and killed. */
export const realProcesses = {
  hasGuests: true,
  isAlive,
  kill: ({ pid }: RecoveryHandle) => void process.kill(pid, "SIGKILL"),
} as const;

/** Limit of the memory control group that a container's first process is in. */
export async function readMemoryMib({ pid }: RecoveryHandle): Promise<number> {
  const groups = await readFile(`/proc/${pid}/cgroup`, "utf8");
  const v1 = /^\d+:[^:]*\bmemory\b[^:]*:(.*)$/m.exec(groups)?.[1];
  const v2 = /^0::(.*)$/m.exec(groups)?.[1] ?? "";
  const path = v1 === undefined ? `/sys/fs/cgroup${v2}/memory.max` : `/sys/fs/cgroup/memory${v1}/memory.limit_in_bytes`;
  return Number(await readFile(path, "utf8")) / 2 ** 20;
}

/** A driver that the contract suite is run against. */
export interface Subject {
  readonly kind: string;
  /** Why it cannot be tested here; undefined when it can. */
  readonly missing: string | undefined;
  /** A driver as a newly started agent makes it. */
  createDriver(context: SubjectContext): InstanceDriver;
  /** A spec of the smallest instance, with a shell on its console and busybox inside. */
  toSpec(nics: Nic[]): InstanceSpec;
  /** The same with an image of another name. */
  withImage(spec: InstanceSpec, image: string): InstanceSpec;
  /** Field of that image in errors; undefined: it has no images. */
  readonly imageField: string | undefined;
  /** There are a machine or container, a network and a shell behind it; otherwise what those do is not asked for. */
  readonly hasGuests: boolean;
  /** Whether the process of a handle runs. */
  isAlive(handle: RecoveryHandle): Promise<boolean>;
  /** Default: yes. No: a runtime runs them where nobody needs to see processes; none is shown, and none can be killed. */
  readonly hasProcesses?: boolean;
  /** Abilities of the driver that what it speaks to has not, or that need a guest. Default: none. */
  readonly lacks?: readonly (keyof Abilities)[];
  /** Uid of its one instance, where others have made that; default: a new one. */
  readonly uid?: string;
  /** What it may have of the host's memory, in MiB, as the kernel has it; absent: its memory cannot be changed while it runs. */
  readMemoryMib?(handle: RecoveryHandle): Promise<number>;
  /** Kills it from outside, by signal 9. */
  kill(handle: RecoveryHandle): void;
}
