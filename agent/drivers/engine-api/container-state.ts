import { z } from "zod";
import { type ContainerHealth, HealthState } from "../../../proto/gen/zor/v1/crun.js";

/** Label of every container that we made: the uid of its instance. */
export const uidLabel = "zorhub.uid";
/** Label with the name of the instance, for people who look at the engine. */
export const nameLabel = "zorhub.instance";

const healthSchema = z.object({
  /** "starting", "healthy", "unhealthy", "none". */
  Status: z.string().max(32).default(""),
  FailingStreak: z.number().int().min(0).default(0),
  Log: z.array(z.object({ End: z.string().default(""), Output: z.string().default("") })).nullish(),
});

const stateSchema = z.object({
  Running: z.boolean().default(false),
  Paused: z.boolean().default(false),
  OOMKilled: z.boolean().default(false),
  /** 0 when it does not run. */
  Pid: z.number().int().min(0).default(0),
  ExitCode: z.number().int().default(0),
  Error: z.string().default(""),
  /** Of a check that the engine makes. */
  Health: healthSchema.nullish(),
});

/** What an engine says of a container (GET /containers/{id}/json), as far as it is of use. */
export const containerSchema = z.object({
  Id: z.string().regex(/^[0-9a-f]{64}$/),
  Image: z.string().max(256),
  State: stateSchema,
  HostConfig: z.object({ RestartPolicy: z.object({ Name: z.string().default("") }).nullish() }).nullish(),
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

const maxHealthOutput = 4096;
const healthStates: Readonly<Record<string, HealthState>> = {
  starting: HealthState.HEALTH_STATE_STARTING,
  healthy: HealthState.HEALTH_STATE_HEALTHY,
  unhealthy: HealthState.HEALTH_STATE_UNHEALTHY,
};

/** What the check that an engine makes of a container says; undefined: it makes none. */
export function engineHealth({ State: { Health: health } }: EngineContainer): ContainerHealth | undefined {
  const state = healthStates[health?.Status ?? ""];
  if (health === undefined || health === null || state === undefined) return undefined;
  const last = health.Log?.at(-1);
  const time = Date.parse(last?.End ?? "");
  return {
    state,
    output: (last?.Output ?? "").slice(-maxHealthOutput),
    failures: health.FailingStreak,
    checkTime: Number.isNaN(time) ? undefined : new Date(time),
  };
}

/** The engine would start it again by itself: somebody has told it to. */
export function isRestartedByEngine({ HostConfig: config }: EngineContainer): boolean {
  return !["", "no"].includes(config?.RestartPolicy?.Name ?? "");
}
