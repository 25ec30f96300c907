/** What stands for "nothing was measured". */
export const nothing = 0xff_ff;
/** Numbers below it are exact; those above have so many steps to each doubling. */
const steps = 1024;
/** Of two, as far as 16 bits lead. */
const powers = Array.from({ length: 64 }, (_, exponent) => 2 ** exponent);

/**
 * A whole number from 0 on in 16 bits: exact up to 2047, above that to 0.05 %, as far as numbers are whole. Charts need no more, and a day
 * of a host fits into a file of some MiB.
 */
export function toSmall(value: number): number {
  if (!(value >= 0)) return nothing;
  if (value < steps) return Math.round(value);
  let exponent = Math.floor(Math.log2(value)) - 10;
  let mantissa = Math.round(value / 2 ** exponent);
  if (mantissa >= 2 * steps) {
    exponent += 1;
    mantissa = Math.round(value / 2 ** exponent);
  }
  return Math.min(nothing - 1, (exponent + 1) * steps + (mantissa - steps));
}

/** The number again; undefined: nothing was measured. */
export function fromSmall(small: number): number | undefined {
  if (small === nothing) return undefined;
  if (small < steps) return small;
  return ((small & (steps - 1)) + steps) * (powers[(small >> 10) - 1] ?? 0);
}
