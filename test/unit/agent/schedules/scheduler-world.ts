import type { InstanceAccess } from "../../../../agent/drivers/instance-access.js";
import type { Taken } from "../../../../agent/schedules/retention.js";
import { Scheduler } from "../../../../agent/schedules/scheduler.js";
import type { Due, Taker } from "../../../../agent/schedules/taker.js";
import { Operations } from "../../../../lib/operations.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { type Schedule, ScheduleAction, type ScheduleStatus } from "../../../../proto/gen/zor/v1/schedule.js";

/** Instances in memory, of which agents that come and go take what is due. */
export class SchedulerWorld implements Taker {
  /** Ids of what was taken, in that order. */
  readonly log: string[] = [];
  readonly removed: string[] = [];
  readonly reports: string[] = [];
  readonly errors: unknown[] = [];
  readonly statuses = new Map<string, readonly ScheduleStatus[]>();
  /** What the next attempts meet. */
  refusal: Error | undefined;
  /** What taking waits for. */
  gate: Promise<void> = Promise.resolve();
  atWork = 0;
  mostAtWork = 0;
  readonly #state: string;
  readonly #instances = new Map<string, Instance>();
  #things: (Taken & { readonly uid: string; readonly schedule: string })[] = [];
  #changed: (instance: Instance) => void = () => undefined;
  #gone: (removed: { id: string; uid: string }) => void = () => undefined;
  #ending = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  operations = this.#newOperations();

  constructor(state: string) {
    this.#state = state;
  }

  /** Says what an instance's schedules are. */
  set(id: string, ...schedules: readonly Partial<Schedule>[]): void {
    const whole = schedules.map((each) => ({ action: ScheduleAction.SCHEDULE_ACTION_SNAPSHOT, ...each }));
    const instance = Instance.fromPartial({
      name: `hosts/h1/instances/${id}`,
      uid: `uid-${id}`,
      spec: { schedules: whole },
    });
    this.#instances.set(id, instance);
    this.#changed(instance);
  }

  delete(id: string): void {
    this.#instances.delete(id);
    this.#gone({ id, uid: `uid-${id}` });
  }

  status(id: string): ScheduleStatus | undefined {
    return this.statuses.get(`uid-${id}`)?.[0];
  }

  /** A new agent. */
  start(): void {
    this.#ending = new AbortController();
    this.statuses.clear();
    this.operations = this.#newOperations();
    const scheduler = new Scheduler({
      state: this.#state,
      operations: this.operations,
      now: () => new Date(),
      logError: (error) => this.errors.push(error),
      report: (instance, message) => this.reports.push(`${instance}: ${message}`),
    });
    scheduler.add(ScheduleAction.SCHEDULE_ACTION_SNAPSHOT, this);
    const access: Pick<InstanceAccess, "list" | "onChanged" | "onRemoved" | "setSchedules"> = {
      list: () => [...this.#instances.values()],
      onChanged: (listener) => (this.#changed = listener),
      onRemoved: (listener) => (this.#gone = listener),
      setSchedules: ({ uid }, schedules) => this.statuses.set(uid, schedules),
    };
    // The scheduler uses nothing else of the instances.
    this.#ended = scheduler.run(access as InstanceAccess, this.#ending.signal);
  }

  /** The agent ends, as after SIGTERM: what runs is cancelled. */
  async end(): Promise<void> {
    await this.operations.close();
    this.#ending.abort();
    await this.#ended;
  }

  async take({ id, instance, schedule, isFull }: Due) {
    if (this.refusal !== undefined) throw this.refusal;
    const uid = `uid-${instance}`;
    return this.operations.start({
      ...{ verb: "thing.create", target: id, requestId: "", caller: "" },
      work: async ({ signal }) => {
        this.atWork += 1;
        this.mostAtWork = Math.max(this.mostAtWork, this.atWork);
        const aborted = new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(new Error("aborted"))),
        );
        await Promise.race([this.gate, aborted]).finally(() => (this.atWork -= 1));
        const base = isFull ? "" : (this.taken(uid, schedule.name).at(-1)?.id ?? "");
        this.#things.push({ id, timeMs: Date.now(), base, uid, schedule: schedule.name });
        this.log.push(id);
      },
    });
  }

  taken(uid: string, schedule: string): (Taken & { readonly uid: string })[] {
    return this.#things.filter((thing) => thing.uid === uid && thing.schedule === schedule);
  }

  nameOf(id: string): string {
    return `hosts/h1/things/${id}`;
  }

  async remove(id: string): Promise<void> {
    this.#things = this.#things.filter((thing) => thing.id !== id);
    this.removed.push(id);
  }

  #newOperations(): Operations {
    return new Operations({ prefix: "operations", publish: () => undefined, forget: () => undefined });
  }
}
