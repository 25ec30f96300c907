import type { FieldViolation } from "../../../../lib/errors.js";
import { microName } from "../../images.js";
import { openBootFiles } from "../boot-files.js";
import { assertBootable } from "../boot-memory.js";
import { fdPath, type InheritedFd } from "../inherited-files.js";
import { maxKernelArgumentsBytes, toKernelArguments } from "../kernel-arguments.js";
import { sizeOf, violation } from "../options.js";
import { findTscKhz } from "../tsc.js";
import { checkBootOrder } from "./boot-order.js";
import { hasDisplay } from "./display.js";
import type { Asked, HardwarePart } from "./part.js";

/** What is started first: a kernel given directly, or whatever the firmware finds. */
type BootPlan =
  | {
      readonly type: "kernel";
      readonly kernelFd: InheritedFd;
      readonly initrdFd: InheritedFd | undefined;
      readonly arguments: string;
    }
  | { readonly type: "firmware"; readonly menu?: boolean; readonly hasDisplay?: boolean };

const maxExtraArgumentsBytes = 1024;
const menuMs = 5000;

export const boot: HardwarePart<BootPlan> = {
  check,

  admit: async ({ spec, options }, { imageDirectories }) => {
    if (options.kernel === "") return;
    await using files = await openBootFiles(imageDirectories, spec);
    await assertBootable(files, sizeOf(spec).memoryMib);
  },

  open: async ({ spec, options, instance, network, inherited, imageDirectories, accelerator, architecture }) => {
    if (options.kernel === "") return { type: "firmware", menu: options.bootMenu, hasDisplay: hasDisplay(options) };
    const { kernel, initrd } = inherited.keep(await openBootFiles(imageDirectories, spec));
    // The files may have changed since the machine was made, or an earlier agent may have made it.
    await assertBootable({ kernel, initrd }, sizeOf(spec).memoryMib);
    return {
      type: "kernel",
      kernelFd: inherited.share(kernel.file),
      initrdFd: initrd === undefined ? undefined : inherited.share(initrd.file),
      arguments: toKernelArguments({
        hostname: instance.id,
        nics: network.nics,
        // An emulated microvm has no timer that keeps its pace on a busy host: measuring by it, the kernel hangs.
        console: architecture === "aarch64" ? "ttyAMA0" : "ttyS0",
        tscKhz: accelerator === "tcg" && options.machine === "microvm" ? await findTscKhz() : undefined,
        extra: options.kernelArguments,
      }),
    };
  },

  toArguments: (plan) => {
    if (plan.type === "firmware") {
      return {
        // Without a kernel of ours and a screen the firmware's messages on the serial console are all there is to see.
        machine: plan.hasDisplay === true ? [] : ["graphics=off"],
        boot: ["strict=on", ...(plan.menu === true ? ["menu=on", `splash-time=${menuMs}`] : [])],
      };
    }
    return {
      argv: [
        ...["-kernel", fdPath(plan.kernelFd)],
        ...(plan.initrdFd === undefined ? [] : ["-initrd", fdPath(plan.initrdFd)]),
        ...["-append", plan.arguments],
      ],
    };
  },
};

function check({ spec, options }: Asked): FieldViolation[] {
  const violations: FieldViolation[] = checkBootOrder({ spec, options });
  const { kernel, initrd, kernelArguments } = options;
  if (kernel === "" && options.disks.length + options.cdroms.length + options.bootOrder.length === 0) {
    violations.push(
      violation("qemu.kernel", `is empty and there is no disk: nothing to boot; "${microName}" is the built-in image`),
    );
  }
  if (options.bootMenu && kernel !== "") violations.push(violation("qemu.boot_menu", "does not go with a kernel"));
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
  if (kernel !== "" && longestCommandLine({ spec, options }) > maxKernelArgumentsBytes) {
    violations.push(
      violation(
        "qemu.kernel_arguments",
        `together with the addresses of all interfaces are more than the ${maxKernelArgumentsBytes} bytes a kernel takes; use fewer`,
      ),
    );
  }
  return violations;
}

function longestCommandLine({ spec, options }: Asked): number {
  const nics = spec.nics.map(({ name, addresses }, index) => ({
    nic: name === "" ? `eth${index}` : name,
    mac: "00:00:00:00:00:00",
    mtu: 65_535,
    addresses,
  }));
  return toKernelArguments({
    console: "ttyAMA0",
    hostname: "x".repeat(63),
    nics,
    tscKhz: 99_999_999,
    extra: options.kernelArguments,
  }).length;
}
