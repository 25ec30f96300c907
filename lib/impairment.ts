import { Direction, type Impairment, type ImpairmentStep, JitterDistribution } from "../proto/gen/zor/v1/impairment.js";
import { toMs } from "./duration.js";
import type { FieldViolation } from "./errors.js";

/** The most that may be asked of an impairment, for whoever checks one. Times are milliseconds. */
export const impairmentLimits = {
  /** Of delay and jitter. */
  delayMs: 10_000,
  /** Mean length of a loss burst. */
  burstFrames: 10_000,
  /** What may pass at once, and what may wait. */
  bytes: 2 ** 30,
  rateBps: 10 ** 12,
  /** Of which the last one is dropped. */
  everyFrames: 1_000_000,
  /** Of an expression by which frames are dropped. */
  filterCharacters: 2_048,
  /** Steps of a schedule. */
  steps: 64,
  /** Start, length and repetition of a step: a week; longer schedules are for whoever sets them. */
  scheduleMs: 7 * 24 * 3_600_000,
} as const;

const {
  delayMs: maxDelayMs,
  burstFrames: maxBurstFrames,
  bytes: maxBytes,
  rateBps: maxRateBps,
  everyFrames: maxEveryFrames,
  filterCharacters: maxFilterCharacters,
  steps: maxSteps,
  scheduleMs: maxScheduleMs,
} = impairmentLimits;

/** Whether nothing passes under an impairment. */
export function letsNothingPass(impairment: Pick<Impairment, "down" | "lossRatio" | "dropEvery"> | undefined): boolean {
  return impairment !== undefined && (impairment.down || impairment.lossRatio >= 1 || impairment.dropEvery === 1);
}

/** Whether frames pass as if there were no impairment. */
export function leavesFramesAlone(impairment: Impairment | undefined): boolean {
  if (impairment === undefined) return true;
  const { down, delay, jitter, rateBps, dropEvery, dropFilter } = impairment;
  const { lossRatio, duplicateRatio, reorderRatio, corruptRatio } = impairment;
  const amounts = [toMs(delay), toMs(jitter), lossRatio, duplicateRatio, reorderRatio, corruptRatio, dropEvery];
  return !down && rateBps === 0n && dropFilter === "" && amounts.every((amount) => amount === 0);
}

/** An expression by which frames are dropped, and where it was asked for. */
export interface DropFilterField {
  /** Proto path. */
  readonly field: string;
  /** Not empty. */
  readonly filter: string;
}

/** All expressions in what is asked of both directions; `field` is the proto path that they are in, and a direction may have another name. */
export function dropFiltersIn(
  field: string,
  wanted: {
    readonly ways: Readonly<Record<string, Impairment | undefined>>;
    readonly schedule: readonly ImpairmentStep[];
  },
): DropFilterField[] {
  const places = [
    ...Object.entries(wanted.ways).map(([way, impairment]) => ({ way, impairment })),
    ...wanted.schedule.map(({ impairment }, index) => ({ way: `schedule[${index}].impairment`, impairment })),
  ];
  return places.flatMap(({ way, impairment }) => {
    const filter = impairment?.dropFilter ?? "";
    return filter === "" ? [] : [{ field: `${field}.${way}.drop_filter`, filter }];
  });
}

/** Checks an impairment; `field` is its proto path. Unset is fine: it changes nothing. */
export function checkImpairment(field: string, impairment: Impairment | undefined): FieldViolation[] {
  if (impairment === undefined) return [];
  const violations: FieldViolation[] = [];
  const check = (name: string, good: boolean, description: string): void => {
    if (!good) violations.push({ field: `${field}.${name}`, description });
  };
  for (const name of ["delay", "jitter"] as const) {
    const ms = toMs(impairment[name]);
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
  const { dropEvery: every, dropFilter: filter } = impairment;
  check("drop_every", every >= 0 && every <= maxEveryFrames, `${every} is not between 0 and ${maxEveryFrames}`);
  check("drop_filter", filter.length <= maxFilterCharacters, `has more than ${maxFilterCharacters} characters`);
  check("drop_filter", /^[ -~]*$/.test(filter), "may have printable ASCII characters only");
  check("drop_filter", filter === "" || filter.trim() !== "", "has only blanks; leave it empty for none");
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
  const startMs = toMs(step.start);
  check("start", startMs >= 0 && startMs <= maxScheduleMs, "must be between 0 and 7 days");
  const durationMs = toMs(step.duration);
  check("duration", durationMs > 0 && durationMs <= maxScheduleMs, "must be more than 0 and at most 7 days");
  if (step.repeatEvery !== undefined) {
    const repeatMs = toMs(step.repeatEvery);
    check("repeat_every", repeatMs > 0 && repeatMs <= maxScheduleMs, "must be more than 0 and at most 7 days");
  }
  check("direction", Direction[step.direction] !== undefined && step.direction >= 0, "must be A_TO_B or B_TO_A");
  check("impairment", step.impairment !== undefined, "must be given");
  return [...violations, ...checkImpairment(`${field}.impairment`, step.impairment)];
}
