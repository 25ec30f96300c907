import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { Accelerator, type QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import { admitHardware } from "./hardware/index.js";
import type { MachineHost } from "./hardware/part.js";
import type { KvmVerdict } from "./kvm-probe.js";
import { architectureOf, qemuOptionsOf } from "./options.js";
import { hostArchitecture } from "./program.js";
import { checkQemuSpec } from "./validate.js";

/**
 * Checks a spec against this host, with its images; changes nothing.
 * @param probe tells whether KVM works.
 * @throws {ZorError} INVALID_ARGUMENT, FAILED_PRECONDITION, or PERMISSION_DENIED for what the agent's settings do not allow.
 */
export async function admit(
  spec: InstanceSpec,
  host: Omit<MachineHost, "accelerator">,
  probe: () => Promise<KvmVerdict>,
): Promise<void> {
  const violations = checkQemuSpec(spec);
  if (violations.length > 0) throw invalidFields(violations);
  const options = qemuOptionsOf(spec);
  await assertMachineKnown(options, host);
  const accelerator = await chooseAccelerator(spec, probe);
  await admitHardware({ spec, options }, { ...host, accelerator });
}

async function assertMachineKnown(
  options: QemuOptions,
  { knowledge, signal }: Pick<MachineHost, "knowledge" | "signal">,
): Promise<void> {
  const architecture = architectureOf(options);
  const isOrdinary = architecture === "x86_64" && ["", "q35", "pc", "microvm"].includes(options.machine);
  const name = options.machine === "" ? "virt" : options.machine;
  if (isOrdinary || (await knowledge.knows(architecture, ({ machines }) => machines.has(name), signal))) return;
  const description = `${quote(name)} is no machine that the host's QEMU knows; use "q35", or a version it lists with: qemu-system-${architecture} -machine help`;
  throw invalidFields([{ field: "instance.spec.qemu.machine", description }]);
}

/** The accelerator for a spec. @throws {ZorError} FAILED_PRECONDITION when it demands KVM and KVM does not work. */
export async function chooseAccelerator(spec: InstanceSpec, probe: () => Promise<KvmVerdict>): Promise<"kvm" | "tcg"> {
  const options = qemuOptionsOf(spec);
  const { accelerator } = options;
  if (architectureOf(options) !== hostArchitecture()) {
    if (accelerator !== Accelerator.ACCELERATOR_KVM) return "tcg";
    const description = `KVM runs machines of the host's own architecture only, ${hostArchitecture()}; leave it unset`;
    throw invalidFields([{ field: "instance.spec.qemu.accelerator", description }]);
  }
  if (accelerator === Accelerator.ACCELERATOR_TCG) return "tcg";
  const { works, reason } = await probe();
  if (works) return "kvm";
  if (accelerator !== Accelerator.ACCELERATOR_KVM) return "tcg";
  throw failedPrecondition(
    "KVM_UNAVAILABLE",
    "instance.spec.qemu.accelerator",
    `instance.spec.qemu.accelerator: the host cannot run KVM machines: ${reason}; leave it unset to use what works`,
  );
}
