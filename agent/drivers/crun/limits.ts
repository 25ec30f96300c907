import { readFile } from "node:fs/promises";
import { failedPrecondition, type FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { ContainerLimits } from "../../../proto/gen/zor/v1/crun.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { buildTraffic, checkTraffic, limitUnsupported, outside } from "../containers/disk-traffic.js";
import type { HostCgroups } from "../containers/host-cgroups.js";

/** What a container may use at most. */
export interface ContainerSize {
  readonly cpus: number;
  readonly memoryMib: number;
}

/** What is limited, and where. */
export interface LimitOptions {
  readonly size: ContainerSize;
  readonly limits: ContainerLimits | undefined;
  readonly cgroups: HostCgroups;
  /** Directory on the disk whose traffic is limited. */
  readonly directory: string;
  /** File that what it writes is in, and that is mounted by now: traffic there is its own, that of the disk below is the kernel's. */
  readonly mounted?: string;
  /** For errors. */
  readonly resource: string;
}

/** Processes and threads of one container, unless it says otherwise. */
const defaultTasks = 4096;
const cpuPeriodUs = 100_000;
const bytesPerMib = 1024 * 1024;
const [maxTasks, maxSwapMib, minFiles, maxFiles] = [4_194_304, 2 ** 40, 16, 2 ** 30];
/** What a spec asks for, with defaults. */
export function sizeOf(spec: InstanceSpec): ContainerSize {
  return { cpus: spec.cpus ?? 1, memoryMib: Number(spec.memoryMib ?? 128n) };
}

/** What is wrong with limits, whatever the host can. */
export function checkLimits(field: string, limits: ContainerLimits | undefined): readonly FieldViolation[] {
  if (limits === undefined) return [];
  const { swapMib, pids, openFiles, cpuset } = limits;
  return [
    ...outside(`${field}.swap_mib`, swapMib, 0, maxSwapMib),
    ...outside(`${field}.pids`, pids, 1, maxTasks),
    ...outside(`${field}.open_files`, openFiles, minFiles, maxFiles),
    ...checkTraffic(field, limits),
    ...(cpuset === "" || parseCpus(cpuset) !== undefined
      ? []
      : [{ field: `${field}.cpuset`, description: `${quote(cpuset)} is not a list of CPUs such as "0-2,5"` }]),
  ];
}

/**
 * The resources of the runtime specification. The limits that every container has are left out where the host cannot keep them.
 * @throws {ZorError} FAILED_PRECONDITION: the host cannot do what the spec asks for; it says what is lacking.
 */
export async function buildResources(options: LimitOptions): Promise<Readonly<Record<string, object>>> {
  const { size, limits, cgroups, resource } = options;
  const { controllers } = cgroups;
  const lacks = (what: string, remedy: string) => limitUnsupported({ resource, cgroups }, what, remedy);
  const memory = size.memoryMib * bytesPerMib;
  const swap = limits?.swapMib;
  if (swap !== undefined && cgroups.swap !== true)
    throw lacks("swap", "start its kernel with swapaccount=1, or leave limits.swap_mib out");
  if (limits?.pids !== undefined && !controllers.has("pids")) throw lacks("processes", "leave limits.pids out");
  const cpuset = limits?.cpuset ?? "";
  if (cpuset !== "") {
    if (!controllers.has("cpuset")) throw lacks("CPU sets", "leave limits.cpuset out");
    await assertOnline(cpuset, resource);
  }
  const { directory, mounted } = options;
  const where = { cgroups, directory, mounted, resource, owner: "the agent's state", prefix: "limits." };
  const io = await buildTraffic(limits ?? ContainerLimits.create(), where);
  return {
    ...(controllers.has("memory")
      ? { memory: { limit: memory, ...(swap === undefined ? {} : { swap: memory + Number(swap) * bytesPerMib }) } }
      : {}),
    ...(controllers.has("cpu") || cpuset !== ""
      ? {
          cpu: {
            ...(controllers.has("cpu") ? { quota: size.cpus * cpuPeriodUs, period: cpuPeriodUs } : {}),
            ...(cpuset === "" ? {} : { cpus: cpuset }),
          },
        }
      : {}),
    ...(controllers.has("pids") ? { pids: { limit: limits?.pids ?? defaultTasks } } : {}),
    ...(io === undefined ? {} : { blockIO: io }),
  };
}

async function assertOnline(cpuset: string, resource: string): Promise<void> {
  const online = new Set(parseCpus((await readFile("/sys/devices/system/cpu/online", "utf8")).trim()) ?? []);
  const missing = (parseCpus(cpuset) ?? []).find((cpu) => !online.has(cpu));
  if (missing === undefined) return;
  throw failedPrecondition(
    "NO_SUCH_CPU",
    resource,
    `${resource}: limits.cpuset names CPU ${missing}, and this host has ${[...online].join(", ")}`,
  );
}

/** CPUs of a list such as "0-2,5"; undefined when it is none. */
function parseCpus(text: string): readonly number[] | undefined {
  if (!/^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/.test(text)) return undefined;
  const cpus: number[] = [];
  for (const part of text.split(",")) {
    const [first = 0, last = first] = part.split("-").map(Number);
    if (last < first) return undefined;
    for (let cpu = first; cpu <= last; cpu += 1) cpus.push(cpu);
  }
  return cpus;
}
