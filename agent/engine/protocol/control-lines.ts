import { z } from "zod";

/** Longest line either side accepts. */
export const maxLineBytes: number = 64 * 1024 * 1024;

/** What all requests of an agent to its cable engine have; each protocol adds its own. "watch" asks for events. */
export interface ControlRequest {
  /** Chosen by the agent; the answer carries it. */
  readonly id: number;
  readonly method: string;
}

/** The engine's answer to one request. */
export const answerSchema = z.union([
  z.object({ id: z.int(), result: z.unknown() }),
  z.object({ id: z.int(), error: z.object({ reason: z.string(), message: z.string() }) }),
]);

/** See {@link answerSchema}. */
export type Answer = z.output<typeof answerSchema>;
