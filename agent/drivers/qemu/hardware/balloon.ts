import { violation } from "../options.js";
import { pciSlots, toPci } from "../placement.js";
import { toPciDevice } from "./device.js";
import { memoryOf } from "./memory.js";
import type { HardwarePart } from "./part.js";

/** Takes memory back from the guest. */
export const balloon: HardwarePart<object> = {
  check: ({ options }) =>
    memoryOf(options).balloon && options.machine === "microvm"
      ? [violation("qemu.memory.balloon", 'a microvm has no place for one; use "q35"')]
      : [],
  open: async ({ options }) => (memoryOf(options).balloon ? {} : undefined),
  toArguments: () => {
    // A guest in need of memory takes it back rather than to kill its processes.
    const properties = "id=balloon,deflate-on-oom=on,free-page-reporting=on";
    return { argv: ["-device", toPciDevice("virtio-balloon-pci", properties, toPci(pciSlots.balloon))] };
  },
};
