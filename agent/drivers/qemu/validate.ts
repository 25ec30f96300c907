import type { FieldViolation } from "../../../lib/errors.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { Accelerator, type QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import { checkHardware } from "./hardware/index.js";
import { qemuOptionsOf, violation } from "./options.js";

/** Everything about a spec that needs no file system; pure. Empty when it is good. */
export function checkQemuSpec(spec: InstanceSpec): readonly FieldViolation[] {
  const options = qemuOptionsOf(spec);
  return [...checkMachine(options), ...checkHardware({ spec, options })];
}

function checkMachine(options: QemuOptions): FieldViolation[] {
  const violations: FieldViolation[] = [];
  if (!["", "q35", "pc", "microvm"].includes(options.machine)) {
    violations.push(
      violation("qemu.machine", `${JSON.stringify(options.machine.slice(0, 40))} is none of "q35", "pc" and "microvm"`),
    );
  }
  const accelerators = [Accelerator.ACCELERATOR_UNSPECIFIED, Accelerator.ACCELERATOR_KVM, Accelerator.ACCELERATOR_TCG];
  if (!accelerators.includes(options.accelerator)) {
    violations.push(violation("qemu.accelerator", "is not known; use KVM, TCG or leave it unset"));
  }
  return violations;
}
