import { randomBytes } from "node:crypto";

/** A seed that nobody has asked for, decimal: any number but 0, which stands for "pick one", that a signed 64-bit field can hold. */
export function randomSeed(): string {
  return String(randomBytes(8).readBigUInt64LE() >> 1n || 1n);
}
