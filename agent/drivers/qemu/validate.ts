import { type FieldViolation, invalidFields } from "../../../lib/errors.js";
import { Accelerator, type InstanceSpec, type QemuOptions } from "../../../proto/gen/zor/v1/instance.js";
import { microName } from "../images.js";
import { maxKernelArgumentsBytes, toKernelArguments } from "./kernel-arguments.js";
import { microvmPlaces } from "./placement.js";

const maxNics = 31;
const maxDisks = 16;
const maxExtraArgumentsBytes = 1024;
/** QEMU and the file systems below it go further; a typing error should not. */
const maxDiskMib = 16n * 1024n * 1024n;

/** The spec's options for this driver. @throws {ZorError} INVALID_ARGUMENT when it is for another. */
export function qemuOptionsOf(spec: InstanceSpec): QemuOptions {
  if (spec.driver?.$case === "qemu") return spec.driver.value;
  throw invalidFields([{ field: "instance.spec.driver", description: "is not qemu" }]);
}

/** Defaults that the instance layer fills in as well; they also hold when a spec comes from elsewhere. */
export function sizeOf(spec: InstanceSpec): { readonly cpus: number; readonly memoryMib: number } {
  return { cpus: spec.cpus ?? 1, memoryMib: Number(spec.memoryMib ?? 128n) };
}

/** Everything about a spec that needs no file system; pure. Empty when it is good. */
export function checkQemuSpec(spec: InstanceSpec): readonly FieldViolation[] {
  const options = qemuOptionsOf(spec);
  return [...checkMachine(spec, options), ...checkBoot(spec, options), ...checkDisks(options)];
}

function checkMachine(spec: InstanceSpec, options: QemuOptions): FieldViolation[] {
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
  if (spec.nics.length > maxNics) {
    violations.push(violation("nics", `${spec.nics.length} are more than the ${maxNics} an instance can have`));
  }
  const { nics, disks } = microvmPlaces;
  if (options.machine === "microvm" && (spec.nics.length > nics || options.disks.length > disks)) {
    violations.push(
      violation("qemu.machine", `a microvm has room for ${nics} interfaces and ${disks} disks; use "q35"`),
    );
  }
  return violations;
}

function checkBoot(spec: InstanceSpec, options: QemuOptions): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const { kernel, initrd, kernelArguments } = options;
  if (kernel === "" && options.disks.length === 0) {
    violations.push(
      violation("qemu.kernel", `is empty and there is no disk: nothing to boot; "${microName}" is the built-in image`),
    );
  }
  if (kernel === "" && options.machine === "microvm") {
    violations.push(violation("qemu.kernel", "is empty; a microvm boots a kernel directly"));
  }
  if (initrd !== "" && kernel === "") violations.push(violation("qemu.initrd", "needs a kernel"));
  if (initrd !== "" && kernel === microName)
    violations.push(violation("qemu.initrd", `is built into "${microName}"; leave it empty`));
  if (kernelArguments !== "" && kernel === "") violations.push(violation("qemu.kernel_arguments", "needs a kernel"));
  if (!/^[\x20-\x7e]*$/.test(kernelArguments) || kernelArguments.length > maxExtraArgumentsBytes) {
    violations.push(
      violation("qemu.kernel_arguments", `must be printable ASCII, at most ${maxExtraArgumentsBytes} characters`),
    );
  }
  if (kernel !== "" && longestCommandLine(spec, options) > maxKernelArgumentsBytes) {
    violations.push(
      violation(
        "qemu.kernel_arguments",
        `together with the addresses of all interfaces are more than the ${maxKernelArgumentsBytes} bytes a kernel takes; use fewer`,
      ),
    );
  }
  return violations;
}

function longestCommandLine(spec: InstanceSpec, options: QemuOptions): number {
  const nics = spec.nics.map(({ name, addresses }, index) => ({
    nic: name === "" ? `eth${index}` : name,
    mac: "00:00:00:00:00:00",
    mtu: 65_535,
    addresses,
  }));
  return toKernelArguments({ hostname: "x".repeat(63), nics, tscKhz: 99_999_999, extra: options.kernelArguments })
    .length;
}

function checkDisks({ disks }: QemuOptions): FieldViolation[] {
  if (disks.length > maxDisks)
    return [violation("qemu.disks", `${disks.length} are more than the ${maxDisks} a machine can have`)];
  return disks.flatMap(({ sizeMib }, index) =>
    sizeMib >= 0n && sizeMib <= maxDiskMib
      ? []
      : [violation(`qemu.disks[${index}].size_mib`, `${sizeMib} is not between 0 and ${maxDiskMib}`)],
  );
}

function violation(path: string, description: string): FieldViolation {
  return { field: `instance.spec.${path}`, description };
}
