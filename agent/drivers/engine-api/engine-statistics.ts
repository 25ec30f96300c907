import { z } from "zod";
import { toDuration } from "../../../lib/duration.js";
import { InstanceStatistics } from "../../../proto/gen/zor/v1/statistics_service.js";
import type { HasStatistics } from "../abilities/statistics.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import { readNetStatistics } from "../containers/net-statistics.js";
import type { EngineClient } from "./engine-client.js";
import type { EngineContainers } from "./engine-containers.js";
import { asEngineFailure } from "./engine-error.js";

const maxDisks = 256;
const nsPerMs = 1_000_000;
const count = z
  .number()
  .nullish()
  .transform((value) => Math.max(0, Math.floor(value ?? 0)));
const ioSchema = z
  .array(z.object({ major: count, minor: count, op: z.string().default(""), value: count }))
  .nullish()
  .transform((entries) => entries ?? []);
const schema = z.object({
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: count }) }),
  memory_stats: z.object({ usage: z.number().nullish(), limit: z.number().nullish() }),
  blkio_stats: z.object({ io_service_bytes_recursive: ioSchema, io_serviced_recursive: ioSchema }).nullish(),
});

/** What an engine counts of its containers. Their interfaces are ours: the kernel counts those. */
export class EngineStatistics implements HasStatistics {
  readonly #client: EngineClient;
  readonly #containers: EngineContainers;

  constructor({ client, containers }: { readonly client: EngineClient; readonly containers: EngineContainers }) {
    this.#client = client;
    this.#containers = containers;
  }

  async readStatistics(
    instance: DriverInstance,
    handle: RecoveryHandle,
    { signal }: CallOptions,
  ): Promise<InstanceStatistics> {
    try {
      const { Id: id } = await this.#containers.get(instance, signal);
      const query = { stream: "false", "one-shot": "true" };
      const request = { method: "GET", path: `/containers/${id}/stats`, query, signal } as const;
      const counted = await this.#client.json(request, schema);
      const { memory_stats: memory, cpu_stats: cpu } = counted;
      return InstanceStatistics.fromPartial({
        time: new Date(),
        cpuTime: toDuration(cpu.cpu_usage.total_usage / nsPerMs),
        ...(typeof memory.usage === "number" ? { memoryBytes: BigInt(Math.floor(memory.usage)) } : {}),
        ...(typeof memory.limit === "number" ? { memoryLimitBytes: BigInt(Math.floor(memory.limit)) } : {}),
        disks: disksOf(counted.blkio_stats),
        interfaces: [...(await readNetStatistics(handle))],
      });
    } catch (error) {
      throw asEngineFailure(error, { product: this.#client.product, doing: "tell the container's statistics" });
    }
  }
}

/** By device number: which of them is which disk is the host's affair. */
function disksOf(counted: z.output<typeof schema>["blkio_stats"]): InstanceStatistics["disks"] {
  const disks = new Map<string, InstanceStatistics["disks"][number]>();
  const fill = (entries: z.output<typeof ioSchema>, what: "Bytes" | "Operations"): void => {
    for (const { major, minor, op, value } of entries) {
      const direction = { read: "read", write: "write" }[op.toLowerCase()];
      if (direction !== "read" && direction !== "write") continue;
      const name = `${major}:${minor}`;
      if (!disks.has(name) && disks.size >= maxDisks) return;
      const known = disks.get(name) ?? { name, readBytes: 0n, writeBytes: 0n, readOperations: 0n, writeOperations: 0n };
      disks.set(name, { ...known, [`${direction}${what}`]: BigInt(value) });
    }
  };
  fill(counted?.io_service_bytes_recursive ?? [], "Bytes");
  fill(counted?.io_serviced_recursive ?? [], "Operations");
  return [...disks.values()];
}
