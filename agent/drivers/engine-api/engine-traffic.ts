import { failedPrecondition } from "../../../lib/errors.js";
import type { ContainerEngineOptions } from "../../../proto/gen/zor/v1/container_engine.js";
import { findDevicePath } from "../containers/disk-devices.js";
import { type BlockIo, buildTraffic, limitsTraffic } from "../containers/disk-traffic.js";
import { detectCgroups } from "../containers/host-cgroups.js";
import type { EngineClient } from "./engine-client.js";
import { findEngineRoot } from "./engine-room.js";

/** Engines leave out what the kernel cannot do and say so to nobody who reads it: the host is looked at before. */
const words = [
  ["BlkioDeviceReadBps", "throttleReadBpsDevice"],
  ["BlkioDeviceWriteBps", "throttleWriteBpsDevice"],
  ["BlkioDeviceReadIOps", "throttleReadIOPSDevice"],
  ["BlkioDeviceWriteIOps", "throttleWriteIOPSDevice"],
] as const;

/**
 * The limits of a container's disk traffic as POST /containers/create takes them.
 * @throws {ZorError} FAILED_PRECONDITION: the host cannot keep them.
 */
export async function engineTraffic(
  client: EngineClient,
  options: ContainerEngineOptions,
  signal: AbortSignal,
): Promise<object> {
  if (options.ioWeight === undefined && !limitsTraffic(options)) return {};
  const directory = (await findEngineRoot(client, signal)) ?? "/";
  const owner = `what ${client.product} keeps containers on`;
  const where = { cgroups: await detectCgroups(), directory, owner, resource: client.product, prefix: "" };
  return await toEngineWords((await buildTraffic(options, where)) ?? {}, client.product);
}

async function toEngineWords(traffic: BlockIo, product: string): Promise<object> {
  const limits = await Promise.all(
    words.map(async ([word, file]) => {
      const rates = (traffic[file] ?? []).map(async ({ rate, ...device }) => {
        const path = await findDevicePath(device);
        if (path !== undefined) return { Path: path, Rate: rate };
        const why = `the disk that ${product} keeps containers on has no file in /dev, by which traffic is limited`;
        throw failedPrecondition("LIMIT_UNSUPPORTED", product, `${why}; leave those limits out`);
      });
      return [word, await Promise.all(rates)] as const;
    }),
  );
  const { weight } = traffic;
  return {
    ...(weight === undefined ? {} : { BlkioWeight: weight }),
    ...Object.fromEntries(limits.filter(([, rates]) => rates.length > 0)),
  };
}
