import { sizeOf } from "../options.js";
import type { HardwarePart } from "./part.js";

interface MemoryPlan {
  readonly memoryMib: number;
}

export const memory: HardwarePart<MemoryPlan> = {
  open: async ({ spec }) => ({ memoryMib: sizeOf(spec).memoryMib }),
  toArguments: ({ memoryMib }) => ({ argv: ["-m", `size=${memoryMib}M`] }),
};
