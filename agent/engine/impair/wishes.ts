import { toMs } from "../../../lib/duration.js";
import {
  Direction,
  Impairment,
  type ImpairmentStep,
  JitterDistribution,
} from "../../../proto/gen/zor/v1/impairment.js";
import type { BpfProgram } from "../protocol/drop-program.js";
import { inForceAt, type Step } from "./schedule.js";
import { type ImpairmentSettings, noImpairment } from "./settings.js";
import type { WayOrder } from "./way.js";

/** What is asked to happen to the frames of one direction. */
export interface Wishes {
  /** Undefined: nothing. */
  readonly standing: Impairment | undefined;
  readonly steps: readonly Step<Impairment>[];
}

/** What was asked for, as a worker takes it. @param programs of the drop filters, by their text. */
export function orderOf(
  { standing, steps }: Wishes,
  programs: ReadonlyMap<string, BpfProgram>,
): Pick<WayOrder, "standing" | "steps"> {
  return {
    standing: toSettings(standing, programs),
    steps: steps.map((step) => ({ ...step, impairment: toSettings(step.impairment, programs) })),
  };
}

/** What of it is in force so long after it began. */
export function wishAt({ standing, steps }: Wishes, elapsedMs: number): Impairment {
  const { settings } = inForceAt(standing ?? Impairment.create(), steps, elapsedMs);
  const { jitterDistribution: asked } = settings;
  const isUnset = asked === JitterDistribution.JITTER_DISTRIBUTION_UNSPECIFIED;
  // What is told is what it comes to.
  return { ...settings, jitterDistribution: isUnset ? JitterDistribution.JITTER_DISTRIBUTION_UNIFORM : asked };
}

/** The steps of a schedule. */
export function toSteps(schedule: readonly ImpairmentStep[]): readonly Step<Impairment>[] {
  return schedule.map(({ start, duration, repeatEvery, direction, impairment }) => ({
    startMs: toMs(start),
    durationMs: toMs(duration),
    ...(repeatEvery === undefined ? {} : { repeatMs: toMs(repeatEvery) }),
    direction: directions[direction] ?? "both",
    impairment: impairment ?? Impairment.create(),
  }));
}

const directions: Readonly<Partial<Record<Direction, Step["direction"]>>> = {
  [Direction.DIRECTION_A_TO_B]: "aToB",
  [Direction.DIRECTION_B_TO_A]: "bToA",
};

const distributions: Readonly<Partial<Record<JitterDistribution, ImpairmentSettings["jitterDistribution"]>>> = {
  [JitterDistribution.JITTER_DISTRIBUTION_NORMAL]: "normal",
  [JitterDistribution.JITTER_DISTRIBUTION_PARETO]: "pareto",
};

function toSettings(impairment: Impairment | undefined, programs: ReadonlyMap<string, BpfProgram>): ImpairmentSettings {
  if (impairment === undefined) return noImpairment;
  const { delay, jitter, jitterDistribution, rateBps, burstBytes, queueBytes, dropFilter, ...same } = impairment;
  return {
    ...same,
    delayMs: toMs(delay),
    jitterMs: toMs(jitter),
    jitterDistribution: distributions[jitterDistribution] ?? "uniform",
    rateBps: Number(rateBps),
    burstBytes: Number(burstBytes),
    queueBytes: Number(queueBytes),
    dropProgram: programs.get(dropFilter),
  };
}
