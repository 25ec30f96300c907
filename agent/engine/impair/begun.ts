import { randomBytes } from "node:crypto";
import type { BegunImpairment } from "../../../proto/gen/zor/agent/v1/engine.js";
import type { WayOrder } from "./way.js";

/** An impairment that begins now. @param seed as it was asked for; 0: any. */
export function begin(seed: bigint, nowMs: number): BegunImpairment {
  return { seed: seed === 0n ? randomSeed() : seed, setTime: new Date(nowMs) };
}

/** What a worker must know to go on with an impairment where it is. */
export function startOf({ seed, setTime }: BegunImpairment): Pick<WayOrder, "seed" | "setMs"> {
  return { seed, setMs: setTime?.getTime() ?? 0 };
}

/** A seed that nobody has asked for: any number but 0, which stands for "pick one", that a signed 64-bit field can hold. */
function randomSeed(): bigint {
  return randomBytes(8).readBigUInt64LE() >> 1n || 1n;
}
