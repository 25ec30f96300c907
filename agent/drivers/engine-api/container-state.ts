import { z } from "zod";

/** Label of every container that we made: the uid of its instance. */
export const uidLabel = "zorhub.uid";
/** Label with the name of the instance, for people who look at the engine. */
export const nameLabel = "zorhub.instance";

const stateSchema = z.object({
  Running: z.boolean().default(false),
  Paused: z.boolean().default(false),
  OOMKilled: z.boolean().default(false),
  /** 0 when it does not run. */
  Pid: z.number().int().min(0).default(0),
  ExitCode: z.number().int().default(0),
  Error: z.string().default(""),
});

/** What an engine says of a container (GET /containers/{id}/json), as far as it is of use. */
export const containerSchema = z.object({
  Id: z.string().regex(/^[0-9a-f]{64}$/),
  Image: z.string().max(256),
  State: stateSchema,
  Config: z.object({
    Labels: z
      .record(z.string(), z.string())
      .nullish()
      .transform((labels) => labels ?? {}),
    StopSignal: z.string().max(32).nullish(),
  }),
});

/** A container as its engine describes it. */
export type EngineContainer = z.output<typeof containerSchema>;

/** What names the container of an instance in the engine. */
export function toContainerName(uid: string): string {
  return `zor-${uid}`;
}

/** The uid in such a name; undefined: it is none. */
export function uidOfName(name: string): string | undefined {
  return /^\/?zor-([A-Za-z0-9-]{1,64})$/.exec(name)?.[1];
}
