import type { Duration } from "../proto/gen/google/protobuf/duration.js";

const nanosPerMs = 1_000_000;
const nanosPerSecond = 1_000_000_000;

/** Milliseconds of a duration, with their fraction; 0 when it is unset. */
export function toMs(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1_000 + duration.nanos / nanosPerMs;
}

/**
 * Milliseconds as a duration, rounded to nanoseconds: `nanos` is always below a second and has the sign of `seconds`.
 * @throws {RangeError} when `ms` is not finite.
 */
export function toDuration(ms: number): Duration {
  const whole = Math.trunc(ms / 1_000);
  // Rounded before it is split: 999.9999999 ms are a second, not a thousand million nanoseconds.
  const nanos = Math.round((ms - whole * 1_000) * nanosPerMs);
  const carry = Math.trunc(nanos / nanosPerSecond);
  // "+ 0" because rounding small negative values gives -0.
  return { seconds: BigInt(whole + carry), nanos: nanos - carry * nanosPerSecond + 0 };
}

/** The same, where 0 says the same as unset: undefined for 0. */
export function toOptionalDuration(ms: number): Duration | undefined {
  return ms === 0 ? undefined : toDuration(ms);
}

const unitMs = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of "200us", "50ms", "1.5s", "15m" or "2h"; undefined when it is none of these. Only "0" needs no unit. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const match = /^(\d{1,12}(?:\.\d{1,9})?)(us|ms|s|m|h)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
}
