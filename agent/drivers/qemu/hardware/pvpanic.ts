import { violation } from "../options.js";
import type { HardwarePart } from "./part.js";

/** Tells when the guest's kernel has panicked. */
export const pvpanic: HardwarePart<object> = {
  check: ({ options }) =>
    options.pvpanic && (options.machine === "microvm" || options.architecture === "aarch64")
      ? [violation("qemu.pvpanic", 'needs a machine of type "q35" or "pc"')]
      : [],
  open: async ({ options }) => (options.pvpanic ? {} : undefined),
  toArguments: () => ({ argv: ["-device", "pvpanic"] }),
};
