import type { FieldViolation } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { socketNames } from "../ids.js";
import { violation } from "../options.js";
import { pciSlots, toPci } from "../placement.js";
import { toPciDevice } from "./device.js";
import type { Asked, HardwarePart } from "./part.js";

type DisplayType = keyof typeof devices;

/** Kinds of displays, and QEMU's devices. */
const devices = {
  std: "VGA",
  virtio: "virtio-vga",
  qxl: "qxl-vga",
  cirrus: "cirrus-vga",
  vmware: "vmware-svga",
} as const;

/** A screen, which is looked at over VNC. */
export const display: HardwarePart<{ readonly type: DisplayType }> = {
  check,
  open: async ({ options }) => (hasDisplay(options) ? { type: options.display as DisplayType } : undefined),
  toArguments: ({ type }, { machine }) => {
    const device = machine === "virt" ? "virtio-gpu-pci" : devices[type];
    return {
      argv: [
        ...["-device", toPciDevice(device, "id=display", toPci(pciSlots.display))],
        // Other processors' machines have no keyboard of their own.
        ...(machine === "virt" ? ["-device", "virtio-keyboard-pci"] : []),
        ...["-vnc", `unix:${socketNames.vnc},share=force-shared`],
      ],
    };
  },
};

/** Whether a machine has a screen. */
export function hasDisplay({ display: asked }: Pick<Asked["options"], "display">): boolean {
  return asked !== "" && asked !== "none";
}

function check({ options }: Asked): FieldViolation[] {
  const { display: asked, machine, architecture } = options;
  if (!hasDisplay(options)) return [];
  if (!Object.hasOwn(devices, asked)) {
    return [
      violation(
        "qemu.display",
        `${quote(asked)} is none of "none", ${Object.keys(devices)
          .map((type) => `"${type}"`)
          .join(", ")}`,
      ),
    ];
  }
  if (machine === "microvm") return [violation("qemu.display", 'a microvm has none; use "q35"')];
  if (architecture === "aarch64" && asked !== "virtio") {
    return [violation("qemu.display", `${quote(asked)} is for x86; use "virtio"`)];
  }
  return [];
}
