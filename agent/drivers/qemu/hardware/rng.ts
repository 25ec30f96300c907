import { violation } from "../options.js";
import { fixedAddresses } from "../placement.js";
import { toVirtioDevice } from "./device.js";
import type { HardwarePart } from "./part.js";

/** A source of random numbers. */
export const rng: HardwarePart<object> = {
  check: ({ options }) =>
    options.rng === true && options.machine === "microvm"
      ? [violation("qemu.rng", 'a microvm has no place for one; use "q35" or leave it unset')]
      : [],
  open: async ({ options }) => (options.rng === false ? undefined : {}),
  toArguments: (_plan, { machine }) => {
    const { rng: address } = fixedAddresses(machine);
    if (address === undefined) return {};
    return { argv: ["-object", "rng-builtin,id=rng", "-device", toVirtioDevice("virtio-rng", "rng=rng", address)] };
  },
};
