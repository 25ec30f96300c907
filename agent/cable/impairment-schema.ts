import { z } from "zod";
import type { Impairment } from "../network/c2c/engine/impair/impairment.js";
import type { Step } from "../network/c2c/engine/impair/schedule.js";

const ratio = z.number().min(0).max(1).default(0);
const longestDelayMs = 10_000;
/** A week; longer schedules are for whoever sets them. */
const longestScheduleMs = 7 * 24 * 3_600_000;
const mostBytes = 2 ** 30;

/** An impairment on disk and in messages to the engine. */
export const impairmentSchema = z.object({
  delayMs: z.number().min(0).max(longestDelayMs).default(0),
  jitterMs: z.number().min(0).max(longestDelayMs).default(0),
  jitterDistribution: z.enum(["uniform", "normal", "pareto"]).default("uniform"),
  lossRatio: ratio,
  lossBurstFrames: z.number().min(0).max(10_000).default(0),
  duplicateRatio: ratio,
  reorderRatio: ratio,
  corruptRatio: ratio,
  rateBps: z.number().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  burstBytes: z.number().min(0).max(mostBytes).default(0),
  queueBytes: z.number().min(0).max(mostBytes).default(0),
  down: z.boolean().default(false),
}) satisfies z.ZodType<Impairment, unknown>;

/** A step of a schedule on disk and in messages to the engine. */
export const stepSchema = z.object({
  startMs: z.number().min(0).max(longestScheduleMs),
  durationMs: z.number().gt(0).max(longestScheduleMs),
  repeatMs: z.number().gt(0).max(longestScheduleMs).optional(),
  direction: z.enum(["both", "aToB", "bToA"]),
  impairment: impairmentSchema,
}) satisfies z.ZodType<Step, unknown>;
