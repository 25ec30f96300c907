import type { Duration } from "../proto/gen/google/protobuf/duration.js";
import { Direction, type Impairment, type ImpairmentStep, JitterDistribution } from "../proto/gen/zor/v1/impairment.js";
import type { FieldViolation } from "./errors.js";

const maxDelayMs = 10_000;
const maxBurstFrames = 10_000;
const maxBytes = 2n ** 30n;
const maxRateBps = 10n ** 12n;
const maxSteps = 64;
const maxScheduleMs = 7 * 24 * 3_600_000;

/** Milliseconds of a duration; 0 when it is unset. */
export function toMilliseconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
}

/** A duration of so many milliseconds; unset for 0. */
export function fromMilliseconds(ms: number): Duration | undefined {
  if (ms === 0) return undefined;
  const nanoseconds = Math.round(ms * 1_000_000);
  const seconds = Math.floor(nanoseconds / 1_000_000_000);
  return { seconds: BigInt(seconds), nanos: nanoseconds - seconds * 1_000_000_000 };
}

/** Whether nothing passes under an impairment. */
export function letsNothingPass(impairment: Pick<Impairment, "down" | "lossRatio"> | undefined): boolean {
  return impairment !== undefined && (impairment.down || impairment.lossRatio >= 1);
}

/** Checks an impairment; `field` is its proto path. Unset is fine: it changes nothing. */
export function checkImpairment(field: string, impairment: Impairment | undefined): FieldViolation[] {
  if (impairment === undefined) return [];
  const violations: FieldViolation[] = [];
  const check = (name: string, good: boolean, description: string): void => {
    if (!good) violations.push({ field: `${field}.${name}`, description });
  };
  for (const name of ["delay", "jitter"] as const) {
    const ms = toMilliseconds(impairment[name]);
    check(name, ms >= 0 && ms <= maxDelayMs, `${ms} ms is not between 0 and ${maxDelayMs / 1000} s`);
  }
  for (const [name, ratio] of [
    ["loss_ratio", impairment.lossRatio],
    ["duplicate_ratio", impairment.duplicateRatio],
    ["reorder_ratio", impairment.reorderRatio],
    ["corrupt_ratio", impairment.corruptRatio],
  ] as const) {
    check(name, ratio >= 0 && ratio <= 1, `${ratio} is not between 0 and 1`);
  }
  const burst = impairment.lossBurstFrames;
  check(
    "loss_burst_frames",
    burst === 0 || (burst >= 1 && burst <= maxBurstFrames),
    `${burst} is not between 1 and ${maxBurstFrames}`,
  );
  const rate = impairment.rateBps;
  check("rate_bps", rate >= 0n && rate <= maxRateBps, `${rate} is not between 0 and ${maxRateBps} bit/s`);
  for (const [name, bytes] of [
    ["burst_bytes", impairment.burstBytes],
    ["queue_bytes", impairment.queueBytes],
  ] as const) {
    check(name, bytes >= 0n && bytes <= maxBytes, `${bytes} is not between 0 and ${maxBytes} bytes`);
  }
  const known = JitterDistribution[impairment.jitterDistribution] !== undefined;
  check("jitter_distribution", known && impairment.jitterDistribution >= 0, "must be UNIFORM, NORMAL or PARETO");
  return violations;
}

/** Checks a schedule; `field` is its proto path. */
export function checkSchedule(field: string, schedule: readonly ImpairmentStep[]): FieldViolation[] {
  if (schedule.length > maxSteps) {
    return [{ field, description: `${schedule.length} steps are more than ${maxSteps}` }];
  }
  return schedule.flatMap((step, index) => checkStep(`${field}[${index}]`, step));
}

function checkStep(field: string, step: ImpairmentStep): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const check = (name: string, good: boolean, description: string): void => {
    if (!good) violations.push({ field: `${field}.${name}`, description });
  };
  const startMs = toMilliseconds(step.start);
  check("start", startMs >= 0 && startMs <= maxScheduleMs, "must be between 0 and 7 days");
  const durationMs = toMilliseconds(step.duration);
  check("duration", durationMs > 0 && durationMs <= maxScheduleMs, "must be more than 0 and at most 7 days");
  if (step.repeatEvery !== undefined) {
    const repeatMs = toMilliseconds(step.repeatEvery);
    check("repeat_every", repeatMs > 0 && repeatMs <= maxScheduleMs, "must be more than 0 and at most 7 days");
  }
  check("direction", Direction[step.direction] !== undefined && step.direction >= 0, "must be A_TO_B or B_TO_A");
  check("impairment", step.impairment !== undefined, "must be given");
  return [...violations, ...checkImpairment(`${field}.impairment`, step.impairment)];
}
