import { readFile, readlink, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { failedPrecondition, type FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ContainerLimits } from "../../../proto/gen/zor/v1/crun.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { HostCgroups } from "./host-cgroups.js";

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
  /** For errors. */
  readonly resource: string;
}

/** Processes and threads of one container, unless it says otherwise. */
const defaultTasks = 4096;
const cpuPeriodUs = 100_000;
const bytesPerMib = 1024 * 1024;
const [maxTasks, maxSwapMib, maxWeight, minBytes, minFiles, maxFiles] = [4_194_304, 2 ** 40, 10_000, 4096, 16, 2 ** 30];
const rates = [
  {
    name: "read_bytes_per_second",
    file: "throttleReadBpsDevice",
    min: minBytes,
    of: (l: ContainerLimits) => l.readBytesPerSecond,
  },
  {
    name: "write_bytes_per_second",
    file: "throttleWriteBpsDevice",
    min: minBytes,
    of: (l: ContainerLimits) => l.writeBytesPerSecond,
  },
  {
    name: "read_operations_per_second",
    file: "throttleReadIOPSDevice",
    min: 1,
    of: (l: ContainerLimits) => l.readOperationsPerSecond,
  },
  {
    name: "write_operations_per_second",
    file: "throttleWriteIOPSDevice",
    min: 1,
    of: (l: ContainerLimits) => l.writeOperationsPerSecond,
  },
] as const;

/** What a spec asks for, with defaults. */
export function sizeOf(spec: InstanceSpec): ContainerSize {
  return { cpus: spec.cpus ?? 1, memoryMib: Number(spec.memoryMib ?? 128n) };
}

/** What is wrong with limits, whatever the host can. */
export function checkLimits(field: string, limits: ContainerLimits | undefined): readonly FieldViolation[] {
  if (limits === undefined) return [];
  const { swapMib, pids, ioWeight, openFiles, cpuset } = limits;
  return [
    ...outside(`${field}.swap_mib`, swapMib, 0, maxSwapMib),
    ...outside(`${field}.pids`, pids, 1, maxTasks),
    ...outside(`${field}.io_weight`, ioWeight, 1, maxWeight),
    ...outside(`${field}.open_files`, openFiles, minFiles, maxFiles),
    ...rates.flatMap(({ name, min, of }) => {
      const value = of(limits);
      return value === 0n ? [] : outside(`${field}.${name}`, value, min, Number.MAX_SAFE_INTEGER);
    }),
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
  const lacks = (what: string, remedy: string) =>
    failedPrecondition(
      "LIMIT_UNSUPPORTED",
      resource,
      `${resource}: this host's control groups (${cgroups.version}) cannot limit ${what}; ${remedy}`,
    );
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
  const io = limits === undefined ? undefined : await ioOf(limits, options, lacks);
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

async function ioOf(
  limits: ContainerLimits,
  { cgroups, directory, resource }: LimitOptions,
  lacks: (what: string, remedy: string) => Error,
): Promise<object | undefined> {
  const wanted = rates.filter(({ of }) => of(limits) > 0n);
  const names = wanted.map(({ name }) => `limits.${name}`).join(", ");
  if (limits.ioWeight !== undefined && cgroups.ioWeight !== true) {
    throw lacks("shares of the disk", "load the I/O scheduler bfq, or leave limits.io_weight out");
  }
  if (wanted.length === 0)
    return limits.ioWeight === undefined ? undefined : { weight: toBlkioWeight(limits.ioWeight) };
  if (!cgroups.controllers.has("blkio")) throw lacks("the disk's traffic", `leave ${names} out`);
  const disk = await findDisk(directory);
  if (disk === undefined) {
    throw failedPrecondition(
      "LIMIT_UNSUPPORTED",
      resource,
      `${resource}: the agent's state is on no block device whose traffic could be limited; leave ${names} out`,
    );
  }
  return {
    ...(limits.ioWeight === undefined ? {} : { weight: toBlkioWeight(limits.ioWeight) }),
    ...Object.fromEntries(wanted.map(({ file, of }) => [file, [{ ...disk, rate: Number(of(limits)) }]])),
  };
}

/** The specification has 10 to 1000, which runtimes turn into 1 to 10000 of version 2. */
function toBlkioWeight(weight: number): number {
  return Math.min(1000, Math.max(10, Math.round(10 + ((weight - 1) * 990) / 9999)));
}

/** The whole disk that a directory is on; undefined when it is on none. */
async function findDisk(directory: string): Promise<{ readonly major: number; readonly minor: number } | undefined> {
  const { dev } = await stat(directory, { bigint: true });
  const [major, minor] = [Number((dev >> 8n) & 0xfffn), Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n))];
  const home = await readlink(`/sys/dev/block/${major}:${minor}`).catch(() => undefined);
  if (home === undefined) return undefined;
  const isPartition = await stat(`/sys/dev/block/${major}:${minor}/partition`).catch(() => undefined);
  if (isPartition === undefined) return { major, minor };
  const text = await readFile(`/sys/dev/block/${dirname(home)}/dev`, "utf8").catch(() => "");
  const [, diskMajor, diskMinor] = /^(\d+):(\d+)$/m.exec(text) ?? [];
  return diskMajor === undefined ? undefined : { major: Number(diskMajor), minor: Number(diskMinor) };
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

function outside(
  field: string,
  value: number | bigint | undefined,
  min: number,
  max: number,
): readonly FieldViolation[] {
  if (value === undefined || (value >= min && value <= max)) return [];
  return [{ field, description: `${value} is not between ${min} and ${max}` }];
}
