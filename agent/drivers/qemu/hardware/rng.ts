import { fixedAddresses } from "../placement.js";
import { toVirtioDevice } from "./device.js";
import type { HardwarePart } from "./part.js";

/** A source of random numbers. */
export const rng: HardwarePart<object> = {
  open: async () => ({}),
  toArguments: (_plan, { machine }) => {
    const { rng: address } = fixedAddresses(machine);
    if (address === undefined) return {};
    return { argv: ["-object", "rng-builtin,id=rng", "-device", toVirtioDevice("virtio-rng", "rng=rng", address)] };
  },
};
