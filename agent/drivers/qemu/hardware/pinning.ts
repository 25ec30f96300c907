import { failedPrecondition, type FieldViolation, invalidFields } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { run } from "../../../host/exec.js";
import { parseCpuList, readOnlineCpus, toCpuList } from "../../cpu-list.js";
import { asObject, numberOf } from "../json.js";
import { violation } from "../options.js";
import type { Asked, HardwarePart, Qmp } from "./part.js";
import { processorsOf } from "./processors.js";
import { toldOf } from "../../../host/told.js";

const field = "qemu.processors.pin";

/** Which CPUs of the host the machine's run on. */
export const pinning: HardwarePart<never> = {
  check: ({ options }): FieldViolation[] => {
    const { pin } = processorsOf(options);
    if (pin === "" || parseCpuList(pin) !== undefined) return [];
    return [violation(field, `${quote(pin)} is not a list of the host's CPUs such as "0-3,8"`)];
  },
  admit: async (asked) => {
    const missing = await findMissing(asked);
    if (missing.length > 0) throw invalidFields([violation(field, toWords(missing))]);
  },
  open: async () => undefined,
  toArguments: () => ({}),
  beforeRun: pin,
};

/** Pins what threads of CPUs there are; those that are plugged later are pinned by doing it again. */
async function pin(asked: Asked, qmp: Qmp, resource: string): Promise<void> {
  const cpus = parseCpuList(processorsOf(asked.options).pin);
  if (cpus === undefined) return;
  const missing = await findMissing(asked);
  if (missing.length > 0) throw failedPrecondition("CPU_MISSING", resource, `${resource}: ${toWords(missing)}`);
  const found = await qmp.execute("query-cpus-fast");
  for (const cpu of Array.isArray(found) ? found : []) {
    const thread = numberOf(asObject(cpu), "thread-id");
    if (thread === undefined) continue;
    try {
      await run("taskset", ["-c", "-p", toCpuList(cpus), `${thread}`]);
    } catch (cause) {
      const message = `${resource}: its CPUs could not be pinned: ${toldOf(cause)}; change qemu.processors.pin`;
      throw failedPrecondition("PINNING_FAILED", resource, message);
    }
  }
}

async function findMissing({ options }: Asked): Promise<readonly number[]> {
  const wanted = parseCpuList(processorsOf(options).pin) ?? [];
  if (wanted.length === 0) return [];
  const online = new Set(await readOnlineCpus());
  return wanted.filter((cpu) => !online.has(cpu));
}

function toWords(missing: readonly number[]): string {
  return `the host has no CPU ${missing.slice(0, 8).join(", ")}; pin to those that it has`;
}
