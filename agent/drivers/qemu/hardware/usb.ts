import type { FieldViolation } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { violation } from "../options.js";
import { busOf, controllerAddresses, driveBusOf, machineTypeOf, usbPorts } from "../placement.js";
import { type DeviceProperties, toDeviceWord, toPlaceProperties } from "./device.js";
import type { Asked, HardwarePart } from "./part.js";

/** A controller of USB and what is plugged into it, disks and drives aside. */
interface UsbPlan {
  readonly controller: "xhci" | "ehci";
  readonly tablet: boolean;
  readonly keyboard: boolean;
}

/** Ports of the rest come before these. */
const ports = { xhci: { tablet: 9, keyboard: 10 }, ehci: { tablet: 5, keyboard: 6 } } as const;

/** USB, where something asks for it. It comes before what is on it. */
export const usb: HardwarePart<UsbPlan> = {
  check,
  open: async ({ options }) => {
    if (!needsUsb(options)) return undefined;
    const { controller = "", tablet = false, keyboard = false } = options.usb ?? {};
    return { controller: controller === "ehci" ? "ehci" : "xhci", tablet, keyboard };
  },
  toArguments: (plan, { machine }) => {
    const place = toPlaceProperties(controllerAddresses.usb, machine);
    const at = ports[plan.controller];
    const on = (port: number) => ({ bus: "usb.0", port: String(port) });
    const devices: DeviceProperties[] = [
      plan.controller === "xhci"
        ? { driver: "qemu-xhci", id: "usb", p2: usbPorts.last, p3: usbPorts.last, ...place }
        : { driver: "usb-ehci", id: "usb", ...place },
      ...(plan.tablet ? [{ driver: "usb-tablet", id: "tablet", ...on(at.tablet) }] : []),
      ...(plan.keyboard ? [{ driver: "usb-kbd", id: "keyboard", ...on(at.keyboard) }] : []),
    ];
    return { argv: devices.flatMap((device) => ["-device", toDeviceWord(device)]) };
  },
};

function needsUsb(options: Asked["options"]): boolean {
  const machine = machineTypeOf(options);
  return (
    options.usb !== undefined ||
    (options.spice?.usbRedirections ?? 0) > 0 ||
    options.disks.some((disk) => busOf(disk) === "usb") ||
    options.cdroms.some((drive) => driveBusOf(drive, machine) === "usb")
  );
}

function check({ options }: Asked): FieldViolation[] {
  if (options.usb === undefined) return [];
  const { controller } = options.usb;
  if (options.machine === "microvm")
    return [violation("qemu.usb", 'must be unset: a microvm has no USB; use machine "q35"')];
  if (!["", "xhci", "ehci"].includes(controller)) {
    return [violation("qemu.usb.controller", `${quote(controller)} is neither "xhci" nor "ehci"`)];
  }
  return [];
}
