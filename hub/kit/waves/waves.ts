import { EventEmitter, once } from "node:events";
import type { Caller } from "../../../lib/auth/caller.js";
import { authorize } from "../../../lib/auth/policy.js";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, notFound, permissionDenied } from "../../../lib/errors.js";
import type { CallAudit } from "../../../lib/events/call-audit.js";
import { type CallTrail, onTrail } from "../../../lib/events/call-trail.js";
import type { Log } from "../../../lib/log.js";
import type { OperationContext } from "../../../lib/operations.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import type { Wave, WaveItem, WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import type { Change, Store } from "../../store/store.js";
import type { OperationWork } from "../hub-operations.js";
import { spentText, badCount } from "./budget.js";
import { methodOf, requestOf } from "./check-wave.js";
import type { InnerCalls } from "./inner-calls.js";
import { callItem, itemRequestId } from "./item-call.js";
import { WaveBounds } from "./wave-bounds.js";
import {
  decodeWave,
  keyOf,
  newWave,
  putWave,
  viewOf,
  type WaveProgress,
  type WaveRecord,
  waveCollection,
} from "./wave-record.js";
import { type ActTold, WaveRun } from "./wave-run.js";

/** What waves work with. */
export interface WavesOptions {
  readonly store: Store;
  readonly calls: InnerCalls;
  readonly log: Log;
  /** Told of what was done to each, where no event tells of it. */
  readonly audit: Pick<CallAudit, "untold">;
  /** Whether a certificate was revoked: its holder's waves begin nothing any more. */
  readonly isRevoked: (serial: string) => boolean;
  /** An operation as it is now, or was at its end. */
  readonly operation: (name: string) => Operation | undefined;
  /** Has an operation that runs stop. */
  readonly cancel: (name: string) => void;
  /** Told of a wave that has paused by itself. */
  readonly paused: (operation: Operation, why: string) => void;
  /** Aborts when the hub ends. */
  readonly stop: AbortSignal;
}

/** So many that have ended are kept, the latest. */
const mostKept = 200;
/** Longest time until a watch tells of an end that nobody has told it of. */
const lookMs = 1000;
/** Shortest time between two answers of a watch. */
const paceMs = 250;

/** All waves that there are: each the work of an operation, kept in the store, and gone on with after a restart. */
export class Waves implements OperationWork {
  readonly #options: WavesOptions;
  readonly #bounds = new WaveBounds();
  readonly #records = new Map<string, WaveRecord>();
  readonly #runs = new Map<string, WaveRun>();
  readonly #writing = new Map<string, Promise<void>>();
  readonly #dirty = new Set<string>();
  /** Tells of each that has changed, by its name. */
  readonly #news = new EventEmitter().setMaxListeners(0);

  constructor(options: WavesOptions) {
    this.#options = options;
  }

  /** Reads what an earlier run left; those whose operation is kept no longer are forgotten. */
  async load(): Promise<void> {
    const { store } = this.#options;
    const operations = new Set((await store.list("operations")).map(({ key }) => key));
    const old: Change[] = [];
    for (const stored of await store.list(waveCollection)) {
      const record = operations.has(stored.key) ? decodeWave(stored) : undefined;
      if (record === undefined) old.push({ type: "delete", collection: waveCollection, key: stored.key });
      else this.#records.set(record.name, record);
    }
    if (old.length > 0) await store.commit(old);
  }

  /** Room for one more wave of a caller, until it is disposed. @throws {ZorError} RESOURCE_EXHAUSTED when too many run. */
  admit({ identity }: Caller): Disposable {
    const running = [...this.#records.values()].filter(({ name }) => this.#isRunning(name));
    return this.#bounds.admit(
      identity,
      running.map(({ caller }) => caller.identity),
    );
  }

  /** A new wave of an operation that is about to begin: to be committed with it, and then {@link add added}. */
  plan(
    operation: Operation,
    spec: WaveSpec,
    caller: Caller,
  ): { readonly changes: readonly Change[]; readonly add: () => void } {
    const record = newWave(operation.name, spec, caller);
    const beganMs = ({ name }: WaveRecord): number => this.#options.operation(name)?.createTime?.getTime() ?? 0;
    const old = [...this.#records.values()]
      .filter(({ name }) => !this.#isRunning(name))
      .sort((a, b) => beganMs(b) - beganMs(a))
      .filter(({ name }, index) => index >= mostKept || this.#options.operation(name) === undefined);
    const forgotten = old.map(({ name }): Change => ({ type: "delete", collection: waveCollection, key: keyOf(name) }));
    const add = (): void => {
      for (const { name } of old) this.#records.delete(name);
      this.#records.set(record.name, record);
    };
    return { changes: [putWave(record), ...forgotten], add };
  }

  /** @throws {ZorError} NOT_FOUND */
  get(name: string): Wave {
    return viewOf(this.#find(name), this.#options.operation(name));
  }

  /** A wave, then what of it changes, until it has ended or the signal aborts. @throws {ZorError} NOT_FOUND */
  async *watch(name: string, signal: AbortSignal): AsyncGenerator<Wave> {
    let [seen, said]: [readonly WaveItem[], string] = [[], ""];
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const left = new AbortController();
      try {
        const news = once(this.#news, name, { signal: left.signal }).catch(() => undefined);
        const wave = this.get(name);
        // A resource that has changed is another object.
        const items = wave.items.filter((item, index) => item !== seen[index]);
        seen = wave.items;
        const { spec: _, items: __, ...facts } = wave;
        const isNews = isFirst || items.length > 0 || said !== JSON.stringify(facts);
        said = JSON.stringify(facts);
        if (isNews) yield isFirst ? wave : { ...wave, spec: undefined, items };
        if (wave.state !== OperationState.OPERATION_STATE_RUNNING) return;
        if (isNews) await pause(paceMs, signal);
        await Promise.race([news, pause(lookMs, AbortSignal.any([signal, left.signal]))]);
      } finally {
        left.abort();
      }
    }
  }

  /** Durable when it resolves. @throws {ZorError} NOT_FOUND, FAILED_PRECONDITION when it has ended. */
  async pause(name: string, by: Caller): Promise<Wave> {
    await this.#change(name, () => ({ paused: true, pauseReason: `asked for by ${by.identity}` }));
    return this.get(name);
  }

  /** Durable when it resolves. @throws {ZorError} NOT_FOUND, FAILED_PRECONDITION when it has ended, PERMISSION_DENIED. */
  async resume(name: string, by: Caller): Promise<Wave> {
    authorize(by, methodOf(this.#find(name).spec.method).method.path);
    await this.#change(name, (record) => ({
      ...{ paused: false, pauseReason: "" },
      ...(record.paused && spentText(record) !== undefined ? { forgiven: badCount(record.items) } : {}),
    }));
    return this.get(name);
  }

  /**
   * Has it begin no other in any run of the hub, if there is a wave of that name that runs; durable when it resolves. One that was cancelled
   * already waits no longer for what is under way: a host may never tell how that ends.
   */
  async cancel(name: string): Promise<void> {
    const record = this.#records.get(name);
    if (record === undefined || !this.#isRunning(name)) return;
    if (record.cancelled) this.#runs.get(name)?.giveUp();
    else await this.#change(name, () => ({ cancelled: true }));
  }

  isPending({ name }: Operation): boolean {
    return this.#records.has(name);
  }

  isDone(): boolean {
    return false;
  }

  async run({ name }: Operation, context: OperationContext): Promise<undefined> {
    const { stop, cancel, paused, operation } = this.#options;
    const wave = this.#find(name);
    if (wave.cancelled) cancel(name);
    const run = new WaveRun({
      wave,
      stop,
      permit: () => this.#permit(wave),
      act: (index, told) => this.#act({ wave, index, signal: AbortSignal.any([stop, run.givenUp]) }, told),
      changed: () => this.#keep(wave),
      paused: (why) => {
        const now = operation(name);
        if (now !== undefined) paused(now, why);
      },
    });
    this.#runs.set(name, run);
    try {
      await run.run(context);
    } finally {
      this.#runs.delete(name);
      // What became of each is kept before the operation tells of its end.
      await this.#writing.get(name);
    }
    return undefined;
  }

  /** @throws {ZorError} PERMISSION_DENIED when its caller may not do it any more. */
  #permit({ caller, spec }: WaveRecord): void {
    if (caller.serial !== undefined && this.#options.isRevoked(caller.serial)) {
      throw permissionDenied(`the identity of ${caller.identity}, who began the wave, was revoked; begin another one`);
    }
    authorize(caller, methodOf(spec.method).method.path);
  }

  async #act(
    { wave, index, signal }: { readonly wave: WaveRecord; readonly index: number; readonly signal: AbortSignal },
    { began, ...told }: ActTold,
  ): Promise<void> {
    const { calls, audit } = this.#options;
    const { spec, caller, name } = wave;
    const { method } = methodOf(spec.method);
    const request = requestOf({ spec, index, requestId: itemRequestId(name, index) });
    const by = { calls, caller, signal, permit: () => this.#permit(wave), ...told };
    // What is done to each is told as if its caller had called it.
    const trail: CallTrail = { caller: caller.identity, isTold: false, isPassedOn: false };
    await this.#bounds.call(caller.identity, () => onTrail(trail, () => callItem(method, request, by, began)));
    if (!trail.isTold) audit.untold({ method: method.path, request, caller: caller.identity });
  }

  async #change(name: string, changeOf: (record: WaveRecord) => Partial<WaveProgress>): Promise<void> {
    const record = this.#find(name);
    if (!this.#isRunning(name)) throw failedPrecondition("OPERATION_ENDED", name, `the wave ${name} has ended already`);
    const before: WaveProgress = { ...record };
    const change = changeOf(record);
    // First, so that what its run keeps meanwhile has it, too.
    Object.assign(record, change);
    try {
      await this.#options.store.commit([putWave(record)]);
    } catch (error) {
      for (const key of Object.keys(change) as (keyof WaveProgress)[]) Object.assign(record, { [key]: before[key] });
      throw error;
    }
    this.#runs.get(name)?.look();
    this.#news.emit(name);
  }

  /** One write at a time; what changes meanwhile is in the next. What is lost in a crash is done again, and recognised. */
  #keep(wave: WaveRecord): void {
    this.#news.emit(wave.name);
    this.#dirty.add(wave.name);
    if (this.#writing.has(wave.name)) return;
    const write = async (): Promise<void> => {
      const { store, log, stop } = this.#options;
      while (this.#dirty.delete(wave.name) && !stop.aborted) {
        await store
          .commit([putWave(wave)])
          .catch((error: unknown) => log.error({ err: error, wave: keyOf(wave.name) }, "cannot store how a wave goes"));
      }
      this.#writing.delete(wave.name);
    };
    this.#writing.set(wave.name, Promise.resolve().then(write));
  }

  #isRunning(name: string): boolean {
    return this.#options.operation(name)?.state === OperationState.OPERATION_STATE_RUNNING;
  }

  #find(name: string): WaveRecord {
    const record = this.#records.get(name);
    if (record === undefined)
      throw notFound(name, "there is no wave of that name; waves are kept as long as operations");
    return record;
  }
}
