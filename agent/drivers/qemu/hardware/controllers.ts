import type { FieldViolation } from "../../../../lib/errors.js";
import { violation } from "../options.js";
import {
  busOf,
  busPlaces,
  driveBusOf,
  hotplugBridge,
  hotplugBridgeAddress,
  hotplugPort,
  hotplugPortsOf,
  machineTypeOf,
  maxHotplugPorts,
} from "../placement.js";
import { toDeviceWord, toPlaceProperties } from "./device.js";
import { toControllers } from "./disk-device.js";
import type { Asked, HardwarePart, MachineFacts } from "./part.js";

/** Buses that a machine has beside its own. */
interface ControllersPlan {
  /** Buses that disks and drives are on. */
  readonly buses: ReadonlySet<string>;
  /** Places for what is added while it runs. */
  readonly hotplugPorts: number;
}

/** Controllers of disks and drives, and places for what is added later. They come before what is on them. */
export const controllers: HardwarePart<ControllersPlan> = {
  check,
  open: async (launch) => ({ buses: new Set(busesOf(launch)), hotplugPorts: hotplugPortsOf(launch.options) }),
  toArguments: ({ buses, hotplugPorts }, { machine }) => ({
    argv: [...toControllers(buses, machine), ...toHotplugPorts(hotplugPorts, machine)],
  }),
};

function toHotplugPorts(count: number, machine: MachineFacts["machine"]): string[] {
  if (count === 0 || machine === "microvm") return [];
  const place = (index: number) => toPlaceProperties(hotplugBridgeAddress(machine, index), machine);
  if (machine === "pc") {
    return ["-device", toDeviceWord({ driver: "pci-bridge", id: hotplugBridge, chassis_nr: 1, ...place(0) })];
  }
  return Array.from({ length: count }, (_, index) => [
    "-device",
    toDeviceWord({ driver: "pcie-root-port", id: hotplugPort(index), chassis: index + 1, ...place(index) }),
  ]).flat();
}

/** The bus of each disk and drive. */
function busesOf({ options }: Pick<Asked, "options">): readonly string[] {
  const machine = machineTypeOf(options);
  return [...options.disks.map(busOf), ...options.cdroms.map((drive) => driveBusOf(drive, machine))];
}

function check(asked: Asked): FieldViolation[] {
  const { options } = asked;
  const machine = machineTypeOf(options);
  const violations: FieldViolation[] = [];
  const { hotplugPorts } = options;
  const most = machine === "microvm" ? 0 : maxHotplugPorts;
  if (hotplugPorts !== undefined && (hotplugPorts < 0 || hotplugPorts > most)) {
    const what =
      machine === "microvm"
        ? "must be 0: nothing can be added to a running microvm"
        : `${hotplugPorts} is not between 0 and ${most}`;
    violations.push(violation("qemu.hotplug_ports", what));
  }
  const used = busesOf(asked);
  const isAbsent = (bus: string) => (machine === "microvm" ? bus !== "virtio" : machine === "q35" && bus === "ide");
  options.disks.forEach((disk, index) => {
    if (!isAbsent(busOf(disk))) return;
    const remedy =
      machine === "microvm"
        ? 'a microvm has virtio only; use machine "q35"'
        : 'q35 has none; use "sata", or machine "pc"';
    violations.push(violation(`qemu.disks[${index}].bus`, `is ${busOf(disk)}: ${remedy}`));
  });
  options.cdroms.forEach((drive, index) => {
    if (machine !== "q35" || driveBusOf(drive, machine) !== "ide") return;
    violations.push(violation(`qemu.cdroms[${index}].bus`, 'is ide: q35 has none; use "sata", or machine "pc"'));
  });
  for (const [bus, most] of Object.entries(busPlaces)) {
    const count = used.filter((each) => each === bus).length;
    const places = bus === "usb" && options.usb?.controller === "ehci" ? ehciPlaces : most;
    if (count > places) {
      violations.push(
        violation("qemu.disks", `${count} disks and drives are on bus ${bus}, which has room for ${places}`),
      );
    }
  }
  return violations;
}

/** Its other two ports are for a pointer and a keyboard. */
const ehciPlaces = 4;
