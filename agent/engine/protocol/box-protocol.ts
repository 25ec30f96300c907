import { z } from "zod";
import { impairmentLimits } from "../../../lib/impairment.js";
import { impairmentSchema, stepSchema } from "./impairment-schema.js";

/**
 * Control protocol between agent and cable engine for in-line boxes: JSON lines over a unix socket of its own, next to that of the
 * cables, so that either can change without the other. The agent sends requests and the engine answers each by its id; after "watch"
 * it sends events. Unknown fields are ignored, and fields are only ever added.
 */
export const boxSocket = "boxes.sock";

/** One box as the agent asks for it. */
export const boxSpecSchema = z.object({
  /** "hosts/{host}/a2bs/{a2b}". */
  box: z.string().min(1).max(160),
  uid: z.string().min(1).max(128),
  /** Ids of the lans at a and b. */
  lans: z.tuple([z.string().min(1).max(63), z.string().min(1).max(63)]),
  aToB: impairmentSchema,
  bToA: impairmentSchema,
  steps: z.array(stepSchema).max(impairmentLimits.steps),
  /** Decimal; "0": the engine picks one. */
  seed: z.string().regex(/^-?\d{1,20}$/),
  /** Changes when somebody sets the box anew: then chances and schedule begin again. */
  revision: z.string().min(1).max(64),
});

/** See {@link boxSpecSchema}. */
export type BoxSpec = z.output<typeof boxSpecSchema>;

/** A request of the agent. */
export const boxRequestSchema = z.discriminatedUnion("method", [
  z.object({ id: z.int(), method: z.literal("ensureBox"), spec: boxSpecSchema }),
  z.object({ id: z.int(), method: z.literal("deleteBox"), uid: z.string().max(128) }),
  /** Tells whether a tap is plugged into its lan. */
  z.object({
    id: z.int(),
    method: z.literal("setPort"),
    uid: z.string().max(128),
    side: z.union([z.literal(0), z.literal(1)]),
    /** Generation of the taps this is about. */
    generation: z.string().max(64),
    /** Why it is not plugged; empty: it is. */
    fault: z.string().max(300),
  }),
  z.object({ id: z.int(), method: z.literal("watch") }),
]);

/** See {@link boxRequestSchema}. */
export type BoxRequest = z.output<typeof boxRequestSchema>;

const count = z.number().default(0);
/** What was done to the frames of one direction. */
export const countersSchema = z.object({
  inFrames: count,
  inBytes: count,
  outFrames: count,
  outBytes: count,
  lostFrames: count,
  droppedQueueFrames: count,
  droppedDownFrames: count,
  droppedPortFrames: count,
  duplicatedFrames: count,
  reorderedFrames: count,
  corruptedFrames: count,
  queuedFrames: count,
  queuedBytes: count,
});

const sideSchema = z.object({
  /** Tap in the switch's namespace. */
  port: z.string(),
  plugged: z.boolean(),
  /** Of the direction that begins here. */
  counters: countersSchema,
  /** What leaves that direction now, in bits per second; 0: an engine that does not tell. */
  outBps: z.number().default(0),
  /** In force now for that direction, schedule applied. */
  inForce: impairmentSchema,
});

/** One box as the engine sees it. Times are milliseconds since the epoch. */
export const boxViewSchema = z.object({
  spec: boxSpecSchema,
  active: z.boolean(),
  /** Why not; empty when active. */
  reason: z.string(),
  sinceMs: z.number(),
  /** The taps exist in the switch's namespace. */
  ready: z.boolean(),
  /** Changes when the taps are made anew and so must be plugged again. */
  generation: z.string(),
  sides: z.tuple([sideSchema, sideSchema]),
  /** In use, decimal. */
  seed: z.string(),
});

/** See {@link boxViewSchema}. */
export type BoxView = z.output<typeof boxViewSchema>;

/** An event of the engine, after "watch". */
export const boxesEventSchema = z.object({
  event: z.literal("boxes"),
  pid: z.int(),
  boxes: z.array(boxViewSchema),
  removed: z.array(z.string()),
  snapshot: z.boolean(),
});

/** Something changed at the engine's boxes. */
export interface BoxesEvent {
  /** Process id of the engine. */
  readonly pid: number;
  readonly boxes: readonly BoxView[];
  /** Uids of boxes that are gone. */
  readonly removed: readonly string[];
  /** `boxes` is all there is. */
  readonly snapshot: boolean;
}
