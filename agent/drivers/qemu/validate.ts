import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { Accelerator, type QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import { checkHardware } from "./hardware/index.js";
import { qemuOptionsOf, violation } from "./options.js";

const x86Pattern = /^(?:|q35|pc|microvm|pc-(?:q35|i440fx)-\d{1,2}\.\d{1,2}(?:\.\d{1,2})?)$/;

/** Everything about a spec that needs no file system; pure. Empty when it is good. */
export function checkQemuSpec(spec: InstanceSpec): readonly FieldViolation[] {
  const options = qemuOptionsOf(spec);
  return [...checkMachine(options), ...checkHardware({ spec, options })];
}

function checkMachine({ machine, architecture, accelerator }: QemuOptions): FieldViolation[] {
  const violations: FieldViolation[] = [];
  if (!["", "x86_64", "aarch64"].includes(architecture)) {
    violations.push(violation("qemu.architecture", `${quote(architecture)} is neither "x86_64" nor "aarch64"`));
  } else if (architecture === "aarch64" ? !["", "virt"].includes(machine) : !x86Pattern.test(machine)) {
    const known = architecture === "aarch64" ? '"virt"' : '"q35", "pc", "microvm" and their versions ("pc-q35-7.0")';
    violations.push(violation("qemu.machine", `${quote(machine, { maxCharacters: 40 })} is none of ${known}`));
  }
  const accelerators = [Accelerator.ACCELERATOR_UNSPECIFIED, Accelerator.ACCELERATOR_KVM, Accelerator.ACCELERATOR_TCG];
  if (!accelerators.includes(accelerator)) {
    violations.push(violation("qemu.accelerator", "is not known; use KVM, TCG or leave it unset"));
  }
  return violations;
}
