import { type FieldViolation, failedPrecondition } from "../../../lib/errors.js";
import { type DeviceNumber, findDisk, findLoopDevices } from "./disk-devices.js";
import type { HostCgroups } from "./host-cgroups.js";

/** What a container may have of a disk, as its options say it. */
export interface DiskTraffic {
  readonly ioWeight?: number | undefined;
  readonly readBytesPerSecond: bigint;
  readonly writeBytesPerSecond: bigint;
  readonly readOperationsPerSecond: bigint;
  readonly writeOperationsPerSecond: bigint;
}

/** Where traffic is limited. */
export interface TrafficOptions {
  readonly cgroups: Pick<HostCgroups, "version" | "controllers" | "ioWeight">;
  /** Directory on the disk. */
  readonly directory: string;
  /** Whose directory that is, for errors: "the agent's state". */
  readonly owner: string;
  /** File that what it writes is in, and that is mounted by now: traffic there is its own, that of the disk below is the kernel's. */
  readonly mounted?: string | undefined;
  /** For errors. */
  readonly resource: string;
  /** Before the names of fields in errors: "limits.". */
  readonly prefix: string;
}

/** Limits of the runtime specification (config-linux.md, blockIO). */
export type BlockIo = { readonly weight?: number } & {
  readonly [rate in (typeof rates)[number]["file"]]?: readonly (DeviceNumber & { readonly rate: number })[];
};

const [minBytes, maxWeight] = [4096, 10_000];
const rates = [
  {
    name: "read_bytes_per_second",
    file: "throttleReadBpsDevice",
    min: minBytes,
    of: (traffic: DiskTraffic) => traffic.readBytesPerSecond,
  },
  {
    name: "write_bytes_per_second",
    file: "throttleWriteBpsDevice",
    min: minBytes,
    of: (traffic: DiskTraffic) => traffic.writeBytesPerSecond,
  },
  {
    name: "read_operations_per_second",
    file: "throttleReadIOPSDevice",
    min: 1,
    of: (traffic: DiskTraffic) => traffic.readOperationsPerSecond,
  },
  {
    name: "write_operations_per_second",
    file: "throttleWriteIOPSDevice",
    min: 1,
    of: (traffic: DiskTraffic) => traffic.writeOperationsPerSecond,
  },
] as const;

/** What is wrong with them, whatever the host can. @param field proto path of the message that has them. */
export function checkTraffic(field: string, traffic: DiskTraffic): readonly FieldViolation[] {
  return [
    ...outside(`${field}.io_weight`, traffic.ioWeight, 1, maxWeight),
    ...rates.flatMap(({ name, min, of }) => {
      const value = of(traffic);
      return value === 0n ? [] : outside(`${field}.${name}`, value, min, Number.MAX_SAFE_INTEGER);
    }),
  ];
}

/** Whether the disk's traffic is limited. */
export function limitsTraffic(traffic: DiskTraffic | undefined): boolean {
  return traffic !== undefined && rates.some(({ of }) => of(traffic) > 0n);
}

/**
 * The limits for a runtime; undefined: there are none.
 * @throws {ZorError} FAILED_PRECONDITION: the host cannot keep them; it says what is lacking.
 */
export async function buildTraffic(traffic: DiskTraffic, options: TrafficOptions): Promise<BlockIo | undefined> {
  const { cgroups, directory, owner, mounted, resource, prefix } = options;
  const wanted = rates.filter(({ of }) => of(traffic) > 0n);
  const names = wanted.map(({ name }) => `${prefix}${name}`).join(", ");
  if (traffic.ioWeight !== undefined && cgroups.ioWeight !== true) {
    const remedy = `load the I/O scheduler bfq, or leave ${prefix}io_weight out`;
    throw limitUnsupported({ resource, cgroups }, "shares of the disk", remedy);
  }
  const weight = traffic.ioWeight === undefined ? {} : { weight: toBlkioWeight(traffic.ioWeight) };
  // Version 1 lifts a limit of nothing; version 2 refuses it.
  const lifted = mounted !== undefined && cgroups.version === "v1" && cgroups.controllers.has("blkio");
  if (wanted.length === 0 && !lifted) return traffic.ioWeight === undefined ? undefined : weight;
  if (!cgroups.controllers.has("blkio"))
    throw limitUnsupported({ resource, cgroups }, "the disk's traffic", `leave ${names} out`);
  const disk = await findDisk(directory);
  if (disk === undefined && wanted.length === 0) return traffic.ioWeight === undefined ? undefined : weight;
  if (disk === undefined) {
    throw failedPrecondition(
      "LIMIT_UNSUPPORTED",
      resource,
      `${resource}: ${owner} is on no block device whose traffic could be limited; leave ${names} out`,
    );
  }
  const devices = [disk, ...(mounted === undefined ? [] : await findLoopDevices(mounted))];
  const said = lifted ? rates : wanted;
  const throttles = said.map(({ file, of }) => [file, devices.map((each) => ({ ...each, rate: Number(of(traffic)) }))]);
  return { ...weight, ...Object.fromEntries(throttles) };
}

/** FAILED_PRECONDITION: control groups of the host cannot do something. */
export function limitUnsupported(
  { resource, cgroups }: Pick<TrafficOptions, "resource"> & { readonly cgroups: Pick<HostCgroups, "version"> },
  what: string,
  remedy: string,
): Error {
  return failedPrecondition(
    "LIMIT_UNSUPPORTED",
    resource,
    `${resource}: this host's control groups (${cgroups.version}) cannot limit ${what}; ${remedy}`,
  );
}

/** The specification has 10 to 1000, which runtimes turn into 1 to 10000 of version 2. */
function toBlkioWeight(weight: number): number {
  return Math.min(1000, Math.max(10, Math.round(10 + ((weight - 1) * 990) / 9999)));
}

/** A number that is not between two others. */
export function outside(
  field: string,
  value: number | bigint | undefined,
  min: number,
  max: number,
): readonly FieldViolation[] {
  if (value === undefined || (value >= min && value <= max)) return [];
  return [{ field, description: `${value} is not between ${min} and ${max}` }];
}
