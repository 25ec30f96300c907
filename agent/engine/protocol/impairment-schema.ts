import { z } from "zod";
import { impairmentLimits } from "../../../lib/impairment.js";
import type { Impairment } from "../impair/impairment.js";
import type { Step } from "../impair/schedule.js";

const ratio = z.number().min(0).max(1).default(0);
const limits = impairmentLimits;

/** An impairment on disk and in messages to the engine. */
export const impairmentSchema = z.object({
  delayMs: z.number().min(0).max(limits.delayMs).default(0),
  jitterMs: z.number().min(0).max(limits.delayMs).default(0),
  jitterDistribution: z.enum(["uniform", "normal", "pareto"]).default("uniform"),
  lossRatio: ratio,
  lossBurstFrames: z.number().min(0).max(limits.burstFrames).default(0),
  duplicateRatio: ratio,
  reorderRatio: ratio,
  corruptRatio: ratio,
  rateBps: z.number().min(0).max(limits.rateBps).default(0),
  burstBytes: z.number().min(0).max(limits.bytes).default(0),
  queueBytes: z.number().min(0).max(limits.bytes).default(0),
  down: z.boolean().default(false),
}) satisfies z.ZodType<Impairment, unknown>;

/** A step of a schedule on disk and in messages to the engine. */
export const stepSchema = z.object({
  startMs: z.number().min(0).max(limits.scheduleMs),
  durationMs: z.number().gt(0).max(limits.scheduleMs),
  repeatMs: z.number().gt(0).max(limits.scheduleMs).optional(),
  direction: z.enum(["both", "aToB", "bToA"]),
  impairment: impairmentSchema,
}) satisfies z.ZodType<Step, unknown>;
