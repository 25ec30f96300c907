import { join } from "node:path";
import { z } from "zod";
import { pause } from "../../../lib/backoff.js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import { readIfExists, writeFileAtomic } from "../../../lib/files.js";
import type { ProcessIdentity } from "../../../lib/process.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { type ContainerHealth, HealthState } from "../../../proto/gen/zor/v1/crun.js";
import type { DriverInstance, ExecOutput } from "../driver.js";
import type { HealthPlan } from "./health-check.js";

/** What a monitor needs of the driver. */
export interface HealthMonitorOptions {
  /** Runs a command inside, as the container's user. */
  readonly exec: (
    instance: DriverInstance,
    command: readonly string[],
    signal: AbortSignal,
  ) => AsyncIterable<ExecOutput>;
  /** Told when a container's health is another than before. */
  readonly onChange: (uid: string) => void;
  /** Ends a container that has become unhealthy and asks for it. */
  readonly end: (instance: DriverInstance, identity: ProcessIdentity, why: string) => Promise<void>;
}

interface Watched {
  readonly instance: DriverInstance;
  readonly identity: ProcessIdentity;
  readonly plan: HealthPlan;
  readonly startedMs: number;
  readonly ending: AbortController;
  done: Promise<void>;
  health: ContainerHealth;
}

/** How one check ended; undefined: it could not be made, because the container does not run just now. */
type CheckResult = { readonly ok: boolean; readonly output: string } | undefined;

/** What is kept of a run's health, in the instance's directory. */
export const healthFile = "health.json";
const maxOutputBytes = 4096;
const storedSchema = z.object({
  pid: z.number(),
  startTicks: z.string(),
  state: z.enum(HealthState),
  output: z.string(),
  failures: z.number().int(),
});

/** Runs the health checks of containers. Those without one cost nothing. */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
  }

  /** What is known of a container; undefined: it is not checked. */
  of(uid: string): ContainerHealth | undefined {
    return this.#watched.get(uid)?.health;
  }

  /** This very run is being checked. */
  isChecking(uid: string, { pid, startTicks }: ProcessIdentity): boolean {
    const known = this.#watched.get(uid)?.identity;
    return known?.pid === pid && known.startTicks === startTicks;
  }

  /** Begins to check a container that runs; goes on with what an earlier agent knew of the same run. */
  async begin(
    instance: DriverInstance,
    identity: ProcessIdentity,
    options: { readonly plan: HealthPlan; readonly startedMs: number },
  ): Promise<void> {
    const { plan, startedMs } = options;
    await this.end(instance.uid);
    const watched: Watched = {
      ...{ instance, identity, plan, startedMs },
      ending: new AbortController(),
      done: Promise.resolve(),
      health: await recall(instance, identity),
    };
    this.#watched.set(instance.uid, watched);
    watched.done = this.#check(watched).catch(() => undefined);
  }

  /** Ends checking a container. Idempotent. */
  async end(uid: string): Promise<void> {
    const watched = this.#watched.get(uid);
    if (watched === undefined) return;
    this.#watched.delete(uid);
    watched.ending.abort();
    await watched.done;
  }

  /** Ends checking all of them; they run on. */
  async close(): Promise<void> {
    await Promise.all([...this.#watched.keys()].map((uid) => this.end(uid)));
  }

  async #check(watched: Watched): Promise<void> {
    const { plan, ending, instance, identity } = watched;
    while (!ending.signal.aborted) {
      const result = await this.#run(watched);
      if (ending.signal.aborted) return;
      if (result !== undefined && (await this.#take(watched, result)) && plan.endWhenUnhealthy) {
        const why = `its health check failed ${watched.health.failures} times in a row: ${watched.health.output.trim()}`;
        await this.#options.end(instance, identity, why);
        return;
      }
      await pause(plan.intervalMs, ending.signal);
    }
  }

  /** Takes a result in; whether the container has become unhealthy by it. */
  async #take(watched: Watched, { ok, output }: NonNullable<CheckResult>): Promise<boolean> {
    const { plan, health: before, startedMs } = watched;
    const isStarting =
      before.state === HealthState.HEALTH_STATE_STARTING && Date.now() - startedMs < plan.startPeriodMs;
    const failures = ok || isStarting ? 0 : before.failures + 1;
    const after: ContainerHealth = {
      state: stateAfter(before.state, { ok, failures }, plan),
      output,
      failures,
      checkTime: new Date(),
    };
    watched.health = after;
    if (after.state === before.state && after.failures === before.failures) return false;
    await keep(watched).catch(() => undefined);
    if (after.state === before.state) return false;
    this.#options.onChange(watched.instance.uid);
    return after.state === HealthState.HEALTH_STATE_UNHEALTHY;
  }

  async #run({ plan, instance, ending }: Watched): Promise<CheckResult> {
    const limit = timeLimit(plan.timeoutMs);
    let output = Buffer.alloc(0);
    try {
      const signal = AbortSignal.any([limit, ending.signal]);
      for await (const each of this.#options.exec(instance, plan.command, signal)) {
        if (each.type === "exit") {
          if (limit.aborted) break;
          const text = output.toString("utf8");
          return { ok: each.code === 0, output: text === "" && each.code !== 0 ? `exit code ${each.code}` : text };
        }
        output = Buffer.concat([output, each.data]).subarray(-maxOutputBytes);
      }
    } catch (error) {
      if (ending.signal.aborted) return undefined;
      // Paused, or just ending: it is asked again.
      if (error instanceof ZorError && error.reason === "NOT_RUNNING") return undefined;
      if (!limit.aborted) return { ok: false, output: messageOf(error).slice(-maxOutputBytes) };
    }
    return ending.signal.aborted ? undefined : { ok: false, output: `no answer within ${plan.timeoutMs / 1000} s` };
  }
}

function stateAfter(
  before: HealthState,
  { ok, failures }: { readonly ok: boolean; readonly failures: number },
  { retries }: HealthPlan,
): HealthState {
  if (ok) return HealthState.HEALTH_STATE_HEALTHY;
  return failures >= retries ? HealthState.HEALTH_STATE_UNHEALTHY : before;
}

function fileOf({ directory }: DriverInstance): string {
  return join(directory, healthFile);
}

async function keep({ instance, identity, health }: Watched): Promise<void> {
  const { state, output, failures } = health;
  const { pid, startTicks } = identity;
  await writeFileAtomic(fileOf(instance), JSON.stringify({ pid, startTicks, state, output, failures }));
}

/** What an earlier agent knew of this very run. */
async function recall(instance: DriverInstance, { pid, startTicks }: ProcessIdentity): Promise<ContainerHealth> {
  const fresh = { state: HealthState.HEALTH_STATE_STARTING, output: "", failures: 0, checkTime: undefined };
  try {
    const stored = storedSchema.parse(JSON.parse((await readIfExists(fileOf(instance))) ?? ""));
    if (stored.pid !== pid || stored.startTicks !== startTicks) return fresh;
    return { state: stored.state, output: stored.output, failures: stored.failures, checkTime: undefined };
  } catch {
    return fresh;
  }
}
