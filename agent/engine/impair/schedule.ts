import type { ImpairmentSettings } from "./settings.js";

/** A change that comes and goes by itself. Times are milliseconds since the schedule began. */
export interface Step<Settings = ImpairmentSettings> {
  readonly startMs: number;
  /** More than 0. */
  readonly durationMs: number;
  /** Comes again so long after it started, more than 0; undefined: once. */
  readonly repeatMs?: number | undefined;
  /** Directions it is for. */
  readonly direction: "both" | "aToB" | "bToA";
  /** Replaces the standing impairment. */
  readonly impairment: Settings;
}

/** What is in force, and until when at least. */
export interface InForce<Settings> {
  readonly settings: Settings;
  /** Milliseconds since the schedule began; infinity: for ever. */
  readonly untilMs: number;
}

/** What is in force so long after the schedule began. Of steps that overlap the later in the list wins. */
export function inForceAt<Settings>(
  standing: Settings,
  steps: readonly Step<Settings>[],
  elapsedMs: number,
): InForce<Settings> {
  let settings = standing;
  let untilMs = Number.POSITIVE_INFINITY;
  for (const step of steps) {
    const { active, changeMs } = phaseAt(step, elapsedMs);
    if (active) settings = step.impairment;
    untilMs = Math.min(untilMs, changeMs);
  }
  return { settings, untilMs };
}

function phaseAt(step: Step<unknown>, elapsedMs: number): { readonly active: boolean; readonly changeMs: number } {
  const { startMs, durationMs, repeatMs } = step;
  if (elapsedMs < startMs) return { active: false, changeMs: startMs };
  const beganMs = repeatMs === undefined ? startMs : startMs + Math.floor((elapsedMs - startMs) / repeatMs) * repeatMs;
  const againMs = repeatMs === undefined ? Number.POSITIVE_INFINITY : beganMs + repeatMs;
  // A step that lasts longer than it takes to come again never ends.
  if (durationMs >= againMs - beganMs) return { active: true, changeMs: Number.POSITIVE_INFINITY };
  const endMs = beganMs + durationMs;
  return elapsedMs < endMs ? { active: true, changeMs: endMs } : { active: false, changeMs: againMs };
}

/** The steps that concern a direction. */
export function stepsFor<Settings>(
  direction: "aToB" | "bToA",
  steps: readonly Step<Settings>[],
): readonly Step<Settings>[] {
  return steps.filter((step) => step.direction === "both" || step.direction === direction);
}
