import { failedPrecondition, invalidFields } from "../../../lib/errors.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { Accelerator } from "../../../proto/gen/zor/v1/qemu.js";
import { admitHardware } from "./hardware/index.js";
import type { MachineHost } from "./hardware/part.js";
import type { KvmVerdict } from "./kvm-probe.js";
import { qemuOptionsOf } from "./options.js";
import { checkQemuSpec } from "./validate.js";

/** Checks a spec against this host, with its images; changes nothing. @throws {ZorError} INVALID_ARGUMENT or FAILED_PRECONDITION */
export async function admit(spec: InstanceSpec, host: MachineHost): Promise<void> {
  const violations = checkQemuSpec(spec);
  if (violations.length > 0) throw invalidFields(violations);
  await admitHardware({ spec, options: qemuOptionsOf(spec) }, host);
}

/** The accelerator for a spec. @throws {ZorError} FAILED_PRECONDITION when it demands KVM and KVM does not work. */
export async function chooseAccelerator(spec: InstanceSpec, probe: () => Promise<KvmVerdict>): Promise<"kvm" | "tcg"> {
  const { accelerator } = qemuOptionsOf(spec);
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
