import { readFile } from "node:fs/promises";
import { failedPrecondition, type FieldViolation, invalidFields } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { Memory } from "../../../../proto/gen/zor/v1/qemu.js";
import { parseCpuList } from "../../cpu-list.js";
import { sizeOf, violation } from "../options.js";
import type { Asked, HardwarePart, PartArguments } from "./part.js";
import { processorsOf } from "./processors.js";
import { sharesOf } from "./share-policy.js";

/** A NUMA node of the guest. */
interface NodePlan {
  /** As it was asked for: "0-1,4". */
  readonly cpus: string;
  readonly memoryMib: number;
}

interface MemoryPlan {
  readonly memoryMib: number;
  /** Size of the huge pages that it is made of, in KiB; undefined: ordinary ones. */
  readonly hugePageKib?: number | undefined;
  /** The host's kernel may not merge equal pages. */
  readonly unmerged?: boolean;
  readonly preallocate?: boolean;
  /** Programs beside QEMU reach it, those of virtiofs. */
  readonly isShared?: boolean;
  /** What can be plugged; undefined: nothing. */
  readonly plug?: { readonly maxMib: number; readonly slots: number } | undefined;
  readonly nodes?: readonly NodePlan[];
}

const defaultSlots = 8;
const maxSlots = 64;
const maxPlugMib = 4n * 1024n * 1024n;
const maxNodes = 16;
const pluggedBlockMib = 128;
const field = "instance.spec.qemu.memory";

export const memory: HardwarePart<MemoryPlan> = {
  check,
  admit: async ({ spec, options }) => {
    if (!memoryOf(options).hugepages) return;
    const { sizeKib } = await readHugePages();
    const problem = unevenPart(spec, options, sizeKib);
    if (problem !== undefined) throw invalidFields([problem]);
  },
  open: async ({ spec, options, resource }) => {
    const asked = memoryOf(options);
    const { memoryMib } = sizeOf(spec);
    if (asked.hugepages) await assertHugePages(memoryMib, resource);
    return {
      memoryMib,
      hugePageKib: asked.hugepages ? (await readHugePages()).sizeKib : undefined,
      unmerged: asked.merge === false,
      preallocate: asked.preallocate,
      isShared: needsShared(options),
      plug:
        // QEMU wants no slots where there is nothing to put into them.
        asked.maxMib <= BigInt(memoryMib) ? undefined : { maxMib: Number(asked.maxMib), slots: slotsOf(asked) },
      nodes: asked.numa.map((node) => ({ cpus: node.cpus, memoryMib: Number(node.memoryMib) })),
    };
  },
  toArguments,
};

/** What is asked of the memory; defaults where nothing is. */
export function memoryOf(options: Asked["options"]): Memory {
  return options.memory ?? Memory.fromPartial({});
}

function needsShared(options: Asked["options"]): boolean {
  return sharesOf(options, "virtiofs").length > 0;
}

/** How often memory can be plugged. */
export function slotsOf({ slots }: Memory): number {
  return slots === 0 ? defaultSlots : slots;
}

/** Whether guests take that much memory while they run: Linux has it in blocks of this size. */
export function isPluggableSize(mib: number): boolean {
  return mib > 0 && mib % pluggedBlockMib === 0;
}

/** What QMP's object-add is told for memory that is plugged, made like the rest. @throws {ZorError} when the host has no huge pages for it. */
export async function toPluggedBackend(
  id: string,
  sizeMib: number,
  { options, resource }: Pick<Asked, "options"> & { readonly resource: string },
): Promise<Record<string, unknown>> {
  const { hugepages, merge, preallocate } = memoryOf(options);
  const share = needsShared(options) ? { share: true } : {};
  const common = { id, size: sizeMib * 1024 * 1024, ...(merge === false ? { merge: false } : {}), ...share };
  const type = hugepages || needsShared(options) ? "memory-backend-memfd" : "memory-backend-ram";
  if (!hugepages) return { "qom-type": type, ...common, ...(preallocate ? { prealloc: true } : {}) };
  await assertHugePages(sizeMib, resource);
  const hugetlbsize = (await readHugePages()).sizeKib * 1024;
  return { "qom-type": type, ...common, prealloc: true, hugetlb: true, hugetlbsize };
}

function toArguments(plan: MemoryPlan): PartArguments {
  const { memoryMib, unmerged = false, plug, nodes = [] } = plan;
  const size = plug === undefined ? "" : `,slots=${plug.slots},maxmem=${plug.maxMib}M`;
  const needsBackend = plan.hugePageKib !== undefined || plan.preallocate === true || plan.isShared === true;
  const merge = unmerged ? ["mem-merge=off"] : [];
  const sized = ["-m", `size=${memoryMib}M${size}`];
  if (nodes.length > 0) {
    return {
      machine: merge,
      argv: [
        ...sized,
        ...nodes.flatMap((node, index) => [
          ...["-object", toBackend(`ram${index}`, node.memoryMib, plan)],
          ...["-numa", ["node", `nodeid=${index}`, ...toCpus(node.cpus), `memdev=ram${index}`].join(",")],
        ]),
      ],
    };
  }
  if (!needsBackend) return { machine: merge, argv: sized };
  return { machine: ["memory-backend=ram", ...merge], argv: [...sized, "-object", toBackend("ram", memoryMib, plan)] };
}

function toBackend(id: string, sizeMib: number, plan: MemoryPlan): string {
  const { hugePageKib, unmerged, preallocate, isShared } = plan;
  return [
    hugePageKib === undefined && isShared !== true ? "memory-backend-ram" : "memory-backend-memfd",
    `id=${id}`,
    `size=${sizeMib}M`,
    ...(isShared === true ? ["share=on"] : []),
    ...(unmerged === true ? ["merge=off"] : []),
    // A huge page that is missing when the guest first uses it would end the machine.
    ...(preallocate === true || hugePageKib !== undefined ? ["prealloc=on"] : []),
    ...(hugePageKib === undefined ? [] : ["hugetlb=on", `hugetlbsize=${hugePageKib}K`]),
  ].join(",");
}

function toCpus(list: string): readonly string[] {
  return list.split(",").map((range) => `cpus=${range}`);
}

function check({ spec, options }: Asked): FieldViolation[] {
  const { maxMib, slots, numa } = memoryOf(options);
  const { memoryMib } = sizeOf(spec);
  const violations: FieldViolation[] = [];
  if (maxMib !== 0n && options.machine === "microvm") {
    violations.push(wrong("max_mib", 'a microvm takes no memory while it runs; use "q35" or leave it 0'));
  } else if (maxMib !== 0n && (maxMib < BigInt(memoryMib) || maxMib > maxPlugMib)) {
    violations.push(
      wrong("max_mib", `${maxMib} is not at least the ${memoryMib} MiB it has, and at most ${maxPlugMib}`),
    );
  }
  if (!Number.isInteger(slots) || slots < 0 || slots > maxSlots) {
    violations.push(wrong("slots", `${slots} is not between 1 and ${maxSlots}; 0 means ${defaultSlots}`));
  } else if (slots > 0 && maxMib === 0n) violations.push(wrong("slots", "needs max_mib"));
  if (numa.length > 0) violations.push(...checkNodes({ spec, options }));
  return violations;
}

function checkNodes({ spec, options }: Asked): FieldViolation[] {
  const { numa } = memoryOf(options);
  const { cpus, memoryMib } = sizeOf(spec);
  if (options.machine === "microvm") return [wrong("numa", 'a microvm has no nodes; use "q35" or leave it empty')];
  if (numa.length > maxNodes) return [wrong("numa", `${numa.length} are more than ${maxNodes} nodes`)];
  const total = processorsOf(options).maxCpus || cpus;
  const seen = new Set<number>();
  const violations = numa.flatMap((node, index): FieldViolation[] => {
    const list = parseCpuList(node.cpus);
    if (list === undefined) {
      return [wrong(`numa[${index}].cpus`, `${quote(node.cpus)} is not a list of the guest's CPUs such as "0-1,4"`)];
    }
    const bad = list.find((cpu) => cpu >= total || seen.has(cpu));
    for (const cpu of list) seen.add(cpu);
    if (node.memoryMib <= 0n) return [wrong(`numa[${index}].memory_mib`, `${node.memoryMib} is not more than 0`)];
    return bad === undefined
      ? []
      : [wrong(`numa[${index}].cpus`, `CPU ${bad} is in another node, or not one of the guest's ${total}`)];
  });
  if (violations.length > 0) return violations;
  if (seen.size !== total) violations.push(wrong("numa", `${total - seen.size} of the guest's CPUs are in no node`));
  const sum = numa.reduce((all, node) => all + node.memoryMib, 0n);
  if (sum !== BigInt(memoryMib))
    violations.push(wrong("numa", `its nodes have ${sum} MiB, the guest has ${memoryMib}`));
  return violations;
}

function unevenPart(spec: Asked["spec"], options: Asked["options"], sizeKib: number): FieldViolation | undefined {
  const isEven = (mib: number): boolean => (mib * 1024) % sizeKib === 0;
  if (!isEven(sizeOf(spec).memoryMib)) {
    return violation("memory_mib", `is not a multiple of the host's huge pages of ${sizeKib} KiB`);
  }
  const index = memoryOf(options).numa.findIndex((node) => !isEven(Number(node.memoryMib)));
  if (index === -1) return undefined;
  return wrong(`numa[${index}].memory_mib`, `is not a multiple of the host's huge pages of ${sizeKib} KiB`);
}

async function assertHugePages(memoryMib: number, resource: string): Promise<void> {
  const { sizeKib, free } = await readHugePages();
  const needed = Math.ceil((memoryMib * 1024) / sizeKib);
  if (free >= needed) return;
  throw failedPrecondition(
    "HUGE_PAGES_MISSING",
    resource,
    `${resource} needs ${needed} huge pages of ${sizeKib} KiB, and the host has ${free} free; reserve more there with ` +
      "sysctl vm.nr_hugepages=N, or leave qemu.memory.hugepages unset",
  );
}

/** The host's huge pages of the default size. @throws {ZorError} FAILED_PRECONDITION when its kernel knows none. */
async function readHugePages(): Promise<{ readonly sizeKib: number; readonly free: number }> {
  const text = await readFile("/proc/meminfo", "utf8");
  const numberOf = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const sizeKib = numberOf("Hugepagesize");
  if (sizeKib > 0) return { sizeKib, free: numberOf("HugePages_Free") - numberOf("HugePages_Rsvd") };
  throw failedPrecondition(
    "HUGE_PAGES_MISSING",
    `${field}.hugepages`,
    `${field}.hugepages: the host's kernel has no huge pages; leave it unset`,
  );
}

function wrong(name: string, description: string): FieldViolation {
  return violation(`qemu.memory.${name}`, description);
}
