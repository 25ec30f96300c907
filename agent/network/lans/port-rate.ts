import type { FieldViolation } from "../../../lib/errors.js";
import type { PortRate } from "../../../proto/gen/zor/v1/port.js";

const rateRange = { min: 8000n, max: 100_000_000_000n } as const;
/** The lower holds two super-frames of guests: one that is larger than the burst would never pass. */
const burstRange = { min: 128n * 1024n, max: 64n * 1024n * 1024n } as const;
const burstSeconds = 0.05;

/** Bytes that may pass at once; pure. */
export function burstBytesOf({ rateBps, burstBytes }: PortRate): number {
  if (burstBytes !== 0n) return Number(burstBytes);
  const usual = Math.round((Number(rateBps) / 8) * burstSeconds);
  return Math.min(Number(burstRange.max), Math.max(Number(burstRange.min), usual));
}

/** A limit that says nothing is none; pure. */
export function settleRate(rate: PortRate | undefined): PortRate | undefined {
  return rate?.rateBps === 0n && rate.burstBytes === 0n ? undefined : rate;
}

/** What is wrong with a limit; pure. @param field its proto path */
export function checkRate(field: string, rate: PortRate | undefined): FieldViolation[] {
  if (rate === undefined) return [];
  return [
    ...outside(`${field}.rate_bps`, rate.rateBps, rateRange, "bits per second"),
    ...(rate.burstBytes === 0n ? [] : outside(`${field}.burst_bytes`, rate.burstBytes, burstRange, "bytes")),
  ];
}

function outside(
  field: string,
  value: bigint,
  { min, max }: { readonly min: bigint; readonly max: bigint },
  unit: string,
): FieldViolation[] {
  return value >= min && value <= max
    ? []
    : [{ field, description: `${value} is not between ${min} and ${max} ${unit}` }];
}
