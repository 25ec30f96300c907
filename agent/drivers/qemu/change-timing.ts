import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { Memory, Processors, QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import type { FieldChange, Timing } from "../abilities/changeable.js";
import { isUefi } from "./hardware/firmware.js";
import { isPluggableSize, memoryOf } from "./hardware/memory.js";
import { processorsOf } from "./hardware/processors.js";
import { qemuOptionsOf, sizeOf } from "./options.js";
import { machineTypeOf } from "./placement.js";

export const now: Timing = { when: "now" };
export const nextStart: Timing = { when: "next-start" };

/** A change that cannot be made. */
export function never(remedy: string): Timing {
  return { when: "never", remedy };
}

type Rule = (change: FieldChange) => Timing;
/** One for each field, so that no new one is forgotten. "elsewhere": {@link findRule} is not asked. */
type Rules<Message> = { readonly [Field in keyof Message]-?: Rule | "elsewhere" };

const atNextStart: Rule = () => nextStart;
const anew: Rule = () => never("its devices are where this machine has them; delete it and create it anew");
/** Where it is an ordinary change of what runs. */
const atOnceIf =
  (isPossible: (change: FieldChange) => boolean): Rule =>
  (change) =>
    isPossible(change) ? now : nextStart;

const rules: Rules<QemuOptions> = {
  ...{ machine: anew, architecture: anew },
  // Parts of their own, below.
  ...{ processors: atNextStart, memory: atNextStart },
  // Devices, which the driver changes one by one.
  ...{ disks: "elsewhere", cdroms: "elsewhere" },
  ...{ accelerator: atNextStart, kernel: atNextStart, initrd: atNextStart, kernelArguments: atNextStart },
  ...{ firmware: atNextStart, bootOrder: atNextStart, bootMenu: atNextStart, tpm: atNextStart },
  secureBoot: ({ before }) =>
    isUefi(qemuOptionsOf(before))
      ? never("its keys are in the variables that it was made with; delete it and create it anew")
      : nextStart,
  ...{ seed: atNextStart, configDisk: atNextStart, smbios: atNextStart, oemStrings: atNextStart },
  ...{ rng: atNextStart, watchdog: atNextStart, pvpanic: atNextStart, display: atNextStart, usb: atNextStart },
  ...{ extraArguments: atNextStart, hostDevices: atNextStart, hotplugPorts: atNextStart },
  ...{ serialPorts: atNextStart, shares: atNextStart, spice: atNextStart },
};

const processorRules: Rules<Processors> = {
  ...{ sockets: atNextStart, cores: atNextStart, threads: atNextStart, model: atNextStart, features: atNextStart },
  ...{ nested: atNextStart, maxCpus: atNextStart },
  pin: atOnceIf(({ after }) => processorsOf(qemuOptionsOf(after)).pin !== ""),
};

const memoryRules: Rules<Memory> = {
  ...{ hugepages: atNextStart, merge: atNextStart, preallocate: atNextStart, balloon: atNextStart },
  ...{ maxMib: atNextStart, slots: atNextStart, numa: atNextStart },
  balloonMib: atOnceIf(({ before }) => memoryOf(qemuOptionsOf(before)).balloon),
};

/** When a change of the machine's size, or of options that are no devices, takes effect; undefined: this is another field; pure. */
export function findTiming(change: FieldChange): Timing | undefined {
  const { path, before, after } = change;
  if (path === "cpus") return canPlugCpus(before, after) ? now : nextStart;
  if (path === "memory_mib") return canPlugMemory(before, after) ? now : nextStart;
  const rule = findRule(path);
  return typeof rule === "function" ? rule(change) : undefined;
}

/** What is decided about a field, by its path below the specification; undefined: nothing. */
export function findRule(path: string): Rule | "elsewhere" | undefined {
  const [top, name = "", part] = path.split(".").map(toCamel);
  if (top !== "qemu") return undefined;
  if (name === "processors" && part !== undefined) return processorRules[part as keyof Processors];
  if (name === "memory" && part !== undefined) return memoryRules[part as keyof Memory];
  return rules[name as keyof QemuOptions];
}

/** Whether what runs was made for more CPUs, and these are not too many. They are not taken away while it runs. */
function canPlugCpus(before: InstanceSpec, after: InstanceSpec): boolean {
  const [old, next] = [sizeOf(before).cpus, sizeOf(after).cpus];
  return takesMore(before) && next > old && next <= processorsOf(qemuOptionsOf(before)).maxCpus;
}

/** As {@link canPlugCpus}. The nodes of a machine that has some must be said anew. */
function canPlugMemory(before: InstanceSpec, after: InstanceSpec): boolean {
  const { maxMib, numa } = memoryOf(qemuOptionsOf(before));
  const [old, next] = [sizeOf(before).memoryMib, sizeOf(after).memoryMib];
  return takesMore(before) && next <= Number(maxMib) && numa.length === 0 && isPluggableSize(next - old);
}

function takesMore(spec: InstanceSpec): boolean {
  const machine = machineTypeOf(qemuOptionsOf(spec));
  return machine === "q35" || machine === "pc";
}

function toCamel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
