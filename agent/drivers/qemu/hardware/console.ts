import { maxSerialPorts, serialChardev, serialPortsOf, serialSocket } from "../ids.js";
import { violation } from "../options.js";
import type { HardwarePart } from "./part.js";

/** Serial ports. */
interface SerialPlan {
  /** How many; default 1. */
  readonly ports?: number;
}

/** The serial ports, the first of which is the machine's console. */
export const console: HardwarePart<SerialPlan> = {
  check: ({ options: { machine, serialPorts } }) => {
    const most = machine === "microvm" ? 1 : maxSerialPorts;
    if (Number.isInteger(serialPorts) && serialPorts >= 0 && serialPorts <= most) return [];
    const whose = machine === "microvm" ? "a microvm has 1" : `a machine has 1 to ${maxSerialPorts}`;
    return [violation("qemu.serial_ports", `${serialPorts} cannot be: ${whose}`)];
  },
  open: async ({ options }) => ({ ports: serialPortsOf(options) }),
  toArguments: ({ ports = 1 }) => ({
    argv: Array.from({ length: ports }, (_, port) => [
      "-chardev",
      `socket,id=${serialChardev(port)},path=${serialSocket(port)},server=on,wait=off`,
      ...["-serial", `chardev:${serialChardev(port)}`],
    ]).flat(),
  }),
};
