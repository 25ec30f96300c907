import { sizeOf } from "../options.js";
import type { HardwarePart } from "./part.js";

/** Virtual CPUs. */
interface ProcessorsPlan {
  readonly cpus: number;
}

export const processors: HardwarePart<ProcessorsPlan> = {
  open: async ({ spec }) => ({ cpus: sizeOf(spec).cpus }),
  toArguments: ({ cpus }, { accelerator }) => ({
    argv: ["-cpu", accelerator === "kvm" ? "host" : "max", "-smp", `cpus=${cpus}`],
  }),
};
