import { type InstanceSpec, RestartMode, type RestartPolicy } from "../../../proto/gen/zor/v1/instance.js";

/** What is kept of an instance over its runs, beside its specification. */
export interface Life {
  /** Restarts in a row. */
  readonly restarts: number;
  /** When it is started next; undefined: it does not wait. */
  readonly nextTime: Date | undefined;
  /** It was restarted as often as its policy allows. */
  readonly givenUp: boolean;
  /** Who has asked for its end, which may be still to come; kept until it is started again. Undefined: nobody. */
  readonly askedBy: string | undefined;
}

/** Of an instance that somebody has started. */
export const newLife: Life = { restarts: 0, nextTime: undefined, givenUp: false, askedBy: undefined };

/** Who asks for the end of instances when the host shuts down. */
export const hostShutdown = "the host's shutdown";

/** Whether there is nothing to keep. */
export function isNewLife({ restarts, nextTime, givenUp, askedBy }: Life): boolean {
  return restarts === 0 && nextTime === undefined && !givenUp && askedBy === undefined;
}

/** How a run has ended, as far as a restart goes by it. */
export interface EndedRun {
  readonly failed: boolean;
  /** How long it ran; undefined: it could not be started, or nobody knows. */
  readonly ranMs: number | undefined;
  readonly now: Date;
}

const defaults = { minSeconds: 1, maxSeconds: 60, resetSeconds: 60 } as const;

/** What becomes of an instance that has ended; pure. */
export function planRestart(policy: RestartPolicy | undefined, life: Life, run: EndedRun): Life {
  // Kept: an agent that is killed before it has noted all of this end looks at it once more.
  if (life.askedBy !== undefined) return { ...newLife, askedBy: life.askedBy };
  const calm = { ...life, nextTime: undefined };
  if (!wantsRestart(policy, run.failed)) return { ...calm, restarts: 0, givenUp: false };
  const restarts = ranWell(policy, run.ranMs) ? 0 : life.restarts;
  if (policy.maxRestarts > 0 && restarts >= policy.maxRestarts) return { ...calm, restarts, givenUp: true };
  return { ...calm, restarts, givenUp: false, nextTime: new Date(run.now.getTime() + delayMs(policy, restarts)) };
}

/** Whether a run of that length lets the waits begin anew. */
export function ranWell(policy: RestartPolicy | undefined, ranMs: number | undefined): boolean {
  return ranMs !== undefined && ranMs >= (policy?.resetAfterSeconds || defaults.resetSeconds) * 1000;
}

/** Whether an instance of that spec may ever be started again by itself. */
export function mayRestart({ restart }: InstanceSpec): boolean {
  return wantsRestart(restart, true);
}

function wantsRestart(policy: RestartPolicy | undefined, failed: boolean): policy is RestartPolicy {
  switch (policy?.mode) {
    case RestartMode.RESTART_MODE_ALWAYS:
      return true;
    case RestartMode.RESTART_MODE_ON_FAILURE:
      return failed;
    default:
      return false;
  }
}

function delayMs({ minDelaySeconds, maxDelaySeconds }: RestartPolicy, restarts: number): number {
  const min = minDelaySeconds || defaults.minSeconds;
  const max = maxDelaySeconds || Math.max(min, defaults.maxSeconds);
  return Math.min(max, min * 2 ** Math.min(restarts, 30)) * 1000;
}
