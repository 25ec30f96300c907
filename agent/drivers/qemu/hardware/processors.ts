import { readFile } from "node:fs/promises";
import { failedPrecondition, type FieldViolation, invalidFields } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { Processors } from "../../../../proto/gen/zor/v1/qemu.js";
import { architectureOf, sizeOf, violation } from "../options.js";
import type { Asked, HardwarePart, MachineFacts, MachineHost } from "./part.js";

/** Virtual CPUs. */
interface ProcessorsPlan {
  readonly cpus: number;
  /** "": all that the accelerator offers. */
  readonly model?: string;
  /** With "+" or "-". */
  readonly features?: readonly string[];
  /** 0: not told. */
  readonly topology?: { readonly sockets: number; readonly cores: number; readonly threads: number };
  /** Most that can be plugged; 0: none. */
  readonly maxCpus?: number;
}

const maxCpus = 255;
const maxFeatures = 64;
const modelPattern = /^[A-Za-z0-9][\w.-]{0,63}$/;
const featurePattern = /^[+-][a-z0-9][a-z0-9._-]{0,63}$/;
const field = "instance.spec.qemu.processors";

export const processors: HardwarePart<ProcessorsPlan> = {
  check,
  admit,
  open: async ({ spec, options, accelerator }) => {
    const { sockets, cores, threads, model, features, nested, maxCpus } = processorsOf(options);
    return {
      cpus: sizeOf(spec).cpus,
      topology: { sockets, cores, threads },
      ...{ model, maxCpus },
      features: [...features, ...(nested === undefined ? [] : await nestedFeatures(nested, accelerator))],
    };
  },
  toArguments: (plan, facts) => ({ argv: ["-cpu", toCpu(plan, facts), "-smp", toSmp(plan)] }),
};

/** What is asked of the processors; defaults where nothing is. */
export function processorsOf(options: Asked["options"]): Processors {
  return options.processors ?? Processors.fromPartial({});
}

function toCpu({ model = "", features = [] }: ProcessorsPlan, { accelerator }: MachineFacts): string {
  const base = model === "" ? (accelerator === "kvm" ? "host" : "max") : model;
  return [base, ...features].join(",");
}

function toSmp({ cpus, topology, maxCpus = 0 }: ProcessorsPlan): string {
  const told = Object.entries(topology ?? {}).filter(([, count]) => count > 0);
  return [
    `cpus=${cpus}`,
    ...told.map(([name, count]) => `${name}=${count}`),
    ...(maxCpus > 0 ? [`maxcpus=${maxCpus}`] : []),
  ].join(",");
}

function check({ spec, options }: Asked): FieldViolation[] {
  const asked = processorsOf(options);
  const { cpus } = sizeOf(spec);
  const isMicro = options.machine === "microvm";
  return [
    ...(["sockets", "cores", "threads"] as const).flatMap((name) =>
      isCount(asked[name]) ? [] : [wrong(name, `${asked[name]} is not between 1 and ${maxCpus}; 0 leaves it open`)],
    ),
    ...checkMax(asked.maxCpus, cpus, isMicro),
    ...checkTopology(asked, cpus),
    ...(asked.model === "" || modelPattern.test(asked.model)
      ? []
      : [wrong("model", `${quote(asked.model)} is not the name of a model such as "Skylake-Client"`)]),
    ...checkFeatures(asked.features),
  ];
}

function checkMax(max: number, cpus: number, isMicro: boolean): FieldViolation[] {
  if (max === 0) return [];
  if (isMicro) return [wrong("max_cpus", 'a microvm takes no CPU while it runs; use "q35" or leave it 0')];
  if (isCount(max) && max >= cpus) return [];
  return [wrong("max_cpus", `${max} is not at least the ${cpus} CPUs it has, and at most ${maxCpus}`)];
}

function checkTopology({ sockets, cores, threads, maxCpus: max }: Processors, cpus: number): FieldViolation[] {
  if (sockets === 0 && cores === 0 && threads === 0) return [];
  const total = max === 0 ? cpus : max;
  const perSocket = (cores === 0 ? 1 : cores) * (threads === 0 ? 1 : threads);
  if (sockets === 0 ? total % perSocket === 0 : sockets * perSocket === total) return [];
  const what = max === 0 ? `the ${cpus} CPUs` : `max_cpus, ${max}`;
  return [
    wrong(
      sockets === 0 ? "cores" : "sockets",
      `sockets, cores and threads (${sockets}, ${cores}, ${threads}) do not make ${what}; change one of them`,
    ),
  ];
}

function checkFeatures(features: readonly string[]): FieldViolation[] {
  if (features.length > maxFeatures) return [wrong("features", `${features.length} are more than ${maxFeatures}`)];
  return features.flatMap((feature, index) =>
    featurePattern.test(feature)
      ? []
      : [wrong(`features[${index}]`, `${quote(feature)} is not "+" or "-" with the name of a feature: "+avx2"`)],
  );
}

async function admit({ options }: Asked, { knowledge, accelerator, signal }: MachineHost): Promise<void> {
  const { model, features, nested } = processorsOf(options);
  const architecture = architectureOf(options);
  if (model === "host" && accelerator !== "kvm") {
    throw invalidFields([
      { field: `${field}.model`, description: '"host" needs KVM; leave it empty to use what works' },
    ]);
  }
  if (
    !["", "host", "max"].includes(model) &&
    !(await knowledge.knows(architecture, (is) => is.models.has(model), signal))
  ) {
    const description = `${quote(model)} is no model that the host's QEMU knows; list them there with: qemu-system-${architecture} -cpu help`;
    throw invalidFields([{ field: `${field}.model`, description }]);
  }
  for (const [index, feature] of features.entries()) {
    const name = feature.slice(1);
    if (await knowledge.knows(architecture, (is) => is.features.has(name), signal)) continue;
    const description = `${quote(name)} is no feature that the host's QEMU knows`;
    throw invalidFields([{ field: `${field}.features[${index}]`, description }]);
  }
  if (nested !== true || accelerator !== "kvm") return;
  const { vendor } = await readVirtualisation();
  const parameter = `/sys/module/kvm_${vendor === "vmx" ? "intel" : "amd"}/parameters/nested`;
  if (/^[1Y]/.test(await readFile(parameter, "utf8").catch(() => ""))) return;
  throw failedPrecondition(
    "NESTED_UNAVAILABLE",
    `${field}.nested`,
    `${field}.nested: the host's KVM does not allow machines inside machines; allow it there with the module option nested=1`,
  );
}

/** Emulation knows AMD's kind only. */
async function nestedFeatures(nested: boolean, accelerator: "kvm" | "tcg"): Promise<readonly string[]> {
  const vendor = accelerator === "kvm" ? (await readVirtualisation()).vendor : "svm";
  return [`${nested ? "+" : "-"}${vendor}`];
}

async function readVirtualisation(): Promise<{ readonly vendor: "vmx" | "svm" }> {
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  return { vendor: /^flags\s*:.*\bvmx\b/m.test(text) ? "vmx" : "svm" };
}

function isCount(count: number): boolean {
  return Number.isInteger(count) && count >= 0 && count <= maxCpus;
}

function wrong(name: string, description: string): FieldViolation {
  return violation(`qemu.processors.${name}`, description);
}
