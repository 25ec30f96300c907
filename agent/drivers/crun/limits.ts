import { readFile } from "node:fs/promises";
import { failedPrecondition, type FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { ContainerLimits } from "../../../proto/gen/zor/v1/crun.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { findDisk, findLoopDevices } from "./disk-devices.js";
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
  /** File that what it writes is in, and that is mounted by now: traffic there is its own, that of the disk below is the kernel's. */
  readonly mounted?: string;
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
  const io = await ioOf(limits ?? ContainerLimits.create(), options, lacks);
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
  { cgroups, directory, resource, mounted }: LimitOptions,
  lacks: (what: string, remedy: string) => Error,
): Promise<object | undefined> {
  const wanted = rates.filter(({ of }) => of(limits) > 0n);
  const names = wanted.map(({ name }) => `limits.${name}`).join(", ");
  if (limits.ioWeight !== undefined && cgroups.ioWeight !== true) {
    throw lacks("shares of the disk", "load the I/O scheduler bfq, or leave limits.io_weight out");
  }
  const weight = limits.ioWeight === undefined ? {} : { weight: toBlkioWeight(limits.ioWeight) };
  // Version 1 lifts a limit of nothing; version 2 refuses it.
  const lifted = mounted !== undefined && cgroups.version === "v1" && cgroups.controllers.has("blkio");
  if (wanted.length === 0 && !lifted) return limits.ioWeight === undefined ? undefined : weight;
  if (!cgroups.controllers.has("blkio")) throw lacks("the disk's traffic", `leave ${names} out`);
  const disk = await findDisk(directory);
  if (disk === undefined && wanted.length === 0) return limits.ioWeight === undefined ? undefined : weight;
  if (disk === undefined) {
    throw failedPrecondition(
      "LIMIT_UNSUPPORTED",
      resource,
      `${resource}: the agent's state is on no block device whose traffic could be limited; leave ${names} out`,
    );
  }
  const devices = [disk, ...(mounted === undefined ? [] : await findLoopDevices(mounted))];
  const said = lifted ? rates : wanted;
  const throttles = said.map(({ file, of }) => [file, devices.map((each) => ({ ...each, rate: Number(of(limits)) }))]);
  return { ...weight, ...Object.fromEntries(throttles) };
}

/** Whether the disk's traffic is limited. */
export function limitsTraffic(limits: ContainerLimits | undefined): boolean {
  return limits !== undefined && rates.some(({ of }) => of(limits) > 0n);
}

/** The specification has 10 to 1000, which runtimes turn into 1 to 10000 of version 2. */
function toBlkioWeight(weight: number): number {
  return Math.min(1000, Math.max(10, Math.round(10 + ((weight - 1) * 990) / 9999)));
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
