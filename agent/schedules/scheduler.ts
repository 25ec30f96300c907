import { join } from "node:path";
import { ZorError } from "../../lib/errors.js";
import type { Operations } from "../../lib/operations.js";
import type { Instance } from "../../proto/gen/zor/v1/instance.js";
import { type Operation, OperationState } from "../../proto/gen/zor/v1/operation.js";
import type { Schedule, ScheduleAction, ScheduleStatus } from "../../proto/gen/zor/v1/schedule.js";
import type { InstanceAccess } from "../drivers/instance-access.js";
import { expired, isFullNext } from "./retention.js";
import { ScheduleFiles, type StoredSchedule, type StoredSchedules } from "./schedule-files.js";
import type { Taker } from "./taker.js";
import { nextDue } from "./when.js";
import { toldOf } from "../host/told.js";

/** What schedules need of the agent around them. */
export interface SchedulerOptions {
  /** State directory of the agent. */
  readonly state: string;
  readonly operations: Pick<Operations, "wait">;
  readonly now: () => Date;
  readonly logError: (error: unknown, message: string) => void;
  /** Tells watchers that something failed. @param instance its resource name. */
  readonly report: (instance: string, message: string) => void;
}

/** One schedule of an instance. */
interface Entry {
  readonly instanceId: string;
  readonly instanceName: string;
  readonly uid: string;
  schedule: Schedule;
  stored: StoredSchedule;
  error: string;
  attempts: number;
  /** When it is tried again; undefined: it is not waiting for that. */
  retryMs: number | undefined;
  isGone: boolean;
  /** The time that was last worked out, and what for. */
  due?: { readonly schedule: Schedule; readonly sinceMs: number; readonly afterMs: number; readonly dueMs: number };
}

/** What is taken at one time, at most: it is work for the disks. */
const parallel = 2;
/** Longest time without a look at the clock: somebody may set it. */
const longestWaitMs = 3_600_000;
const busyWaitMs = 30_000;
const firstRetryMs = 60_000;
const cancelledWaitMs = 3_600_000;
/** Refusals that nobody has to be told of: it is done later. */
const passing = ["INSTANCE_BUSY", "INSTANCE_SUSPENDED"];

/** Has snapshots and backups taken by themselves: one timer for all schedules of the host. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #files: ScheduleFiles;
  readonly #takers = new Map<ScheduleAction, Taker>();
  readonly #entries = new Map<string, readonly Entry[]>();
  /** Specifications as they were looked at, by uid: most changes of an instance are none of its schedules. */
  readonly #seen = new Map<string, readonly Schedule[]>();
  readonly #busy = new Set<string>();
  readonly #work = new Set<Promise<void>>();
  #access: InstanceAccess | undefined;
  #signal = AbortSignal.abort();
  #timer: NodeJS.Timeout | undefined;
  #isArming = false;
  /** What an earlier agent left, by the id of the instance, until that is looked at. */
  #left = new Map<string, StoredSchedules>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#files = new ScheduleFiles(join(options.state, "schedules"));
  }

  /** What takes that kind of thing. */
  add(action: ScheduleAction, taker: Taker): void {
    this.#takers.set(action, taker);
  }

  /** Takes what is due, until the signal aborts. Called once, when all kinds are there. */
  async run(access: InstanceAccess, signal: AbortSignal): Promise<void> {
    const { now, logError } = this.#options;
    this.#left = new Map(
      await this.#files.load(now(), (damage) => logError(new Error(damage), "schedules begin anew")),
    );
    if (signal.aborted) return;
    this.#access = access;
    this.#signal = signal;
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    const instances = access.list();
    for (const instance of instances) this.#look(instance);
    // Their instances are gone, or have no schedules any more.
    for (const id of this.#left.keys()) this.#keep(this.#files.remove(id));
    this.#left.clear();
    access.onChanged((instance) => this.#look(instance));
    access.onRemoved(({ id, uid }) => this.#forget(id, uid));
    await promise;
    clearTimeout(this.#timer);
    await Promise.all(this.#work);
  }

  /** Takes up what the specification of an instance says now. */
  #look({ name, uid, spec }: Instance): void {
    const schedules = spec?.schedules ?? [];
    const before = this.#entries.get(uid) ?? [];
    if (this.#signal.aborted || this.#seen.get(uid) === schedules || (before.length === 0 && schedules.length === 0))
      return;
    this.#seen.set(uid, schedules);
    const id = idOf(name);
    const left = this.#left.get(id);
    const known = left?.uid === uid ? left.schedules : [];
    this.#left.delete(id);
    const entries = schedules.map((schedule): Entry => {
      const same = before.find((entry) => entry.schedule.name === schedule.name);
      const stored = this.#settle(schedule, same?.stored ?? known.find((each) => each.name === schedule.name));
      if (same === undefined) {
        const fresh = { error: "", attempts: 0, retryMs: undefined, isGone: false };
        return { instanceId: id, instanceName: name, uid, schedule, stored, ...fresh };
      }
      // It may be at work: it stays the same one. What failed is tried anew with what it says now.
      return Object.assign(same, { schedule, stored, retryMs: undefined, attempts: 0 });
    });
    for (const entry of before) entry.isGone = !entries.includes(entry);
    this.#entries.set(uid, entries);
    void this.#write(uid);
    this.#tell(id, uid);
    this.#armSoon();
  }

  /** Once for all that are looked at together, as when the agent starts: it looks at every one. */
  #armSoon(): void {
    if (this.#isArming) return;
    this.#isArming = true;
    queueMicrotask(() => {
      this.#isArming = false;
      this.#arm();
    });
  }

  /** How a schedule stands that is said anew. */
  #settle(schedule: Schedule, before: StoredSchedule | undefined): StoredSchedule {
    const { everySeconds, at, weekdays, timeZone, suspended } = schedule;
    const timing = JSON.stringify([`${everySeconds}`, at, weekdays, timeZone, suspended]);
    if (before?.timing === timing) return before;
    const nowMs = this.#options.now().getTime();
    const { takenMs = 0, taken = "" } = before ?? {};
    return { name: schedule.name, timing, sinceMs: nowMs, doneMs: 0, takenMs, taken };
  }

  #forget(id: string, uid: string): void {
    const entries = this.#entries.get(uid);
    this.#seen.delete(uid);
    if (entries === undefined) return;
    for (const entry of entries) entry.isGone = true;
    this.#entries.delete(uid);
    this.#keep(this.#files.remove(id));
    this.#arm();
  }

  /** Waits for what is due first. */
  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#signal.aborted || this.#busy.size >= parallel) return;
    const [first] = this.#waiting();
    if (first === undefined) return;
    const waitMs = first.dueMs - this.#options.now().getTime();
    this.#timer = setTimeout(() => this.#tick(), Math.min(longestWaitMs, Math.max(0, waitMs)));
  }

  #tick(): void {
    const nowMs = this.#options.now().getTime();
    for (const { entry, dueMs } of this.#waiting()) {
      if (dueMs > nowMs || this.#busy.size >= parallel) break;
      if (this.#busy.has(entry.uid)) continue;
      this.#busy.add(entry.uid);
      this.#keep(
        this.#carryOut(entry).finally(() => {
          this.#busy.delete(entry.uid);
          this.#arm();
        }),
      );
    }
    this.#arm();
  }

  /** What is to be taken some time and not being taken, the next first. */
  #waiting(): readonly { readonly entry: Entry; readonly dueMs: number }[] {
    return [...this.#entries.entries()]
      .filter(([uid]) => !this.#busy.has(uid))
      .flatMap(([, entries]) => entries)
      .filter(({ schedule }) => !schedule.suspended)
      .map((entry) => ({ entry, dueMs: this.#dueOf(entry) }))
      .toSorted((one, other) => one.dueMs - other.dueMs);
  }

  #dueOf(entry: Entry): number {
    const { schedule, stored, retryMs, due } = entry;
    if (retryMs !== undefined) return retryMs;
    const { sinceMs, doneMs } = stored;
    // A clock that was put back must not keep anything from being taken.
    const afterMs = Math.min(Math.max(sinceMs, doneMs), this.#options.now().getTime());
    if (due?.schedule === schedule && due.sinceMs === sinceMs && due.afterMs === afterMs) return due.dueMs;
    const dueMs = nextDue(schedule, sinceMs, afterMs);
    entry.due = { schedule, sinceMs, afterMs, dueMs };
    return dueMs;
  }

  async #carryOut(entry: Entry): Promise<void> {
    const begunMs = this.#options.now().getTime();
    try {
      const taken = await this.#take(entry, begunMs);
      if (this.#signal.aborted) return;
      entry.stored = { ...entry.stored, doneMs: begunMs, takenMs: begunMs, taken };
      Object.assign(entry, { error: "", attempts: 0, retryMs: undefined });
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#fail(entry, error);
    }
    if (entry.isGone) return;
    await this.#write(entry.uid);
    this.#tell(entry.instanceId, entry.uid);
  }

  /** Resolves to the name of what was taken, when all that is too old is gone. */
  async #take(entry: Entry, begunMs: number): Promise<string> {
    const { schedule, instanceId: instance, uid } = entry;
    const taker = this.#takers.get(schedule.action);
    if (taker === undefined) throw new Error(`nothing takes what schedule ${schedule.name} is for`);
    const id = idFor(instance, schedule.name, begunMs);
    const isFull = !schedule.incremental || isFullNext(taker.taken(uid, schedule.name), schedule);
    const ended = await this.#end(await taker.take({ id, instance, schedule, isFull }));
    if (ended.state === OperationState.OPERATION_STATE_CANCELLED) throw new Cancelled();
    if (ended.state !== OperationState.OPERATION_STATE_SUCCEEDED) throw new Error(ended.error?.message);
    for (const old of expired(taker.taken(uid, schedule.name), schedule, begunMs)) {
      await taker.remove(old, `schedule ${schedule.name} keeps it no longer`).catch((error: unknown) => {
        this.#options.logError(error, `${taker.nameOf(old)} is kept longer than its schedule says`);
      });
    }
    return taker.nameOf(id);
  }

  async #end({ name }: Operation): Promise<Operation> {
    for (;;) {
      const operation = await this.#options.operations.wait(name, longestWaitMs, this.#signal);
      this.#signal.throwIfAborted();
      if (operation.state !== OperationState.OPERATION_STATE_RUNNING) return operation;
    }
  }

  #fail(entry: Entry, error: unknown): void {
    const nowMs = this.#options.now().getTime();
    const text = toldOf(error);
    const isPassing = error instanceof ZorError && passing.includes(error.reason);
    const waitMs = isPassing
      ? busyWaitMs
      : error instanceof Cancelled
        ? cancelledWaitMs
        : Math.min(longestWaitMs, firstRetryMs * 2 ** entry.attempts);
    if (!isPassing) entry.attempts = Math.min(10, entry.attempts + 1);
    const isNews = entry.error !== text && !isPassing && !entry.isGone;
    Object.assign(entry, { error: text, retryMs: nowMs + waitMs });
    if (isNews) {
      const when = `it is tried again in ${Math.round(waitMs / 60_000)} minutes`;
      this.#options.report(entry.instanceName, `schedule ${entry.schedule.name}: ${text}; ${when}`);
    }
  }

  #tell(id: string, uid: string): void {
    const entries = this.#entries.get(uid) ?? [];
    this.#access?.setSchedules(
      { id, uid },
      entries.map((entry): ScheduleStatus => {
        const { schedule, stored, error } = entry;
        return {
          name: schedule.name,
          nextTime: schedule.suspended ? undefined : new Date(this.#dueOf(entry)),
          lastTime: stored.takenMs === 0 ? undefined : new Date(stored.takenMs),
          lastError: error,
          lastTaken: stored.taken,
        };
      }),
    );
  }

  /** Keeps how the schedules of an instance stand. Never rejects. */
  async #write(uid: string): Promise<void> {
    const entries = this.#entries.get(uid) ?? [];
    const [first] = entries;
    if (first === undefined) return;
    const stored = { uid, schedules: entries.map((entry) => entry.stored) };
    const done = this.#files.write(first.instanceId, stored).catch((error: unknown) => {
      this.#options.logError(error, `how the schedules of ${first.instanceName} stand could not be kept`);
    });
    this.#keep(done);
    await done;
  }

  /** Waits for work when the agent ends. */
  #keep(work: Promise<void>): void {
    const kept = work.catch((error: unknown) => this.#options.logError(error, "a schedule"));
    this.#work.add(kept);
    void kept.finally(() => this.#work.delete(kept));
  }
}

class Cancelled extends Error {
  constructor() {
    super("somebody cancelled it");
  }
}

/** "vm1.daily-20261127-033000", shortened where names cannot be as long. */
function idFor(instance: string, schedule: string, timeMs: number): string {
  const time = new Date(timeMs)
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z$/g, "")
    .replace("T", "-");
  const end = `.${schedule}-${time}`;
  return `${instance.slice(0, 63 - end.length)}${end}`;
}

function idOf(name: string): string {
  return name.split("/").at(-1) ?? "";
}
