import { toDuration } from "../../../lib/duration.js";
import { InstanceStatistics } from "../../../proto/gen/zor/v1/statistics_service.js";
import type { HasStatistics } from "../abilities/statistics.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { DomainAccess } from "./domain-access.js";

const maxDevices = 256;
const bytesPerKib = 1024;
const nsPerMs = 1_000_000;

/** What hypervisors count of domains. */
export class DomainStatistics implements HasStatistics {
  readonly #access: DomainAccess;

  constructor(access: DomainAccess) {
    this.#access = access;
  }

  async readStatistics(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    options: CallOptions,
  ): Promise<InstanceStatistics> {
    const { domain } = await this.#access.find(instance, options.signal);
    const groups = ["--cpu-total", "--balloon", "--block", "--interface"];
    const doing = "tell the domain's statistics";
    try {
      const printed = await this.#access.ask(instance, doing, ["domstats", ...groups, domain.uuid], options);
      return parseStatistics(printed, new Date());
    } catch (error) {
      if (!(error instanceof Error) || !/not supported by the connection driver/.test(error.message)) throw error;
      // lxc, for instance, counts only what its description has.
      return parseDescription(await this.#access.ask(instance, doing, ["dominfo", domain.uuid], options), new Date());
    }
  }
}

/** Understands what `virsh dominfo` prints, as far as it counts something. */
export function parseDescription(printed: string, time: Date): InstanceStatistics {
  const kibOf = (key: string): bigint | undefined => {
    const kib = new RegExp(`^${key}: +(\\d{1,15}) KiB$`, "m").exec(printed)?.[1];
    return kib === undefined ? undefined : BigInt(kib) * BigInt(bytesPerKib);
  };
  const seconds = /^CPU time: +(\d{1,12}(?:\.\d{1,9})?)s$/m.exec(printed)?.[1];
  const [memoryBytes, memoryLimitBytes] = [kibOf("Used memory"), kibOf("Max memory")];
  return InstanceStatistics.fromPartial({
    time,
    ...(seconds === undefined ? {} : { cpuTime: toDuration(Number(seconds) * 1000) }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
  });
}

/** Understands what `virsh domstats` prints of one domain; what is not there was not counted. */
export function parseStatistics(printed: string, time: Date): InstanceStatistics {
  const values = new Map<string, string>();
  for (const line of printed.split("\n")) {
    const match = /^ {2}([a-z0-9_.-]{1,64})=(.{0,256})$/.exec(line);
    if (match !== null && !values.has(match[1] ?? "")) values.set(match[1] ?? "", match[2] ?? "");
  }
  const numberOf = (key: string): number | undefined => {
    const text = values.get(key) ?? "";
    return /^\d{1,19}$/.test(text) ? Number(text) : undefined;
  };
  const count = (key: string): bigint => BigInt(Math.min(numberOf(key) ?? 0, Number.MAX_SAFE_INTEGER));
  const each = (group: string): readonly string[] => {
    const many = Math.min(numberOf(`${group}.count`) ?? 0, maxDevices);
    return Array.from({ length: many }, (_, index) => `${group}.${index}`);
  };
  const cpuNs = numberOf("cpu.time");
  const [current, maximum] = [numberOf("balloon.rss") ?? numberOf("balloon.current"), numberOf("balloon.maximum")];
  return InstanceStatistics.fromPartial({
    time,
    ...(cpuNs === undefined ? {} : { cpuTime: toDuration(cpuNs / nsPerMs) }),
    ...(current === undefined ? {} : { memoryBytes: BigInt(current) * BigInt(bytesPerKib) }),
    ...(maximum === undefined ? {} : { memoryLimitBytes: BigInt(maximum) * BigInt(bytesPerKib) }),
    disks: each("block").map((key) => ({
      name: values.get(`${key}.name`) ?? "",
      readBytes: count(`${key}.rd.bytes`),
      writeBytes: count(`${key}.wr.bytes`),
      readOperations: count(`${key}.rd.reqs`),
      writeOperations: count(`${key}.wr.reqs`),
    })),
    interfaces: each("net").map((key) => ({
      name: values.get(`${key}.name`) ?? "",
      rxBytes: count(`${key}.rx.bytes`),
      txBytes: count(`${key}.tx.bytes`),
      rxPackets: count(`${key}.rx.pkts`),
      txPackets: count(`${key}.tx.pkts`),
      rxDropped: count(`${key}.rx.drop`) + count(`${key}.rx.errs`),
      txDropped: count(`${key}.tx.drop`) + count(`${key}.tx.errs`),
    })),
  });
}
