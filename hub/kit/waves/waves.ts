import type { Caller } from "../../../lib/auth/caller.js";
import { failedPrecondition, notFound, permissionDenied } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { OperationContext } from "../../../lib/operations.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import type { Wave, WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import type { Change, Store } from "../../store/store.js";
import type { OperationWork } from "../hub-operations.js";
import { methodOf, requestOf } from "./check-wave.js";
import type { InnerCalls } from "./inner-calls.js";
import { callItem, itemRequestId } from "./item-call.js";
import { decodeWave, keyOf, newWave, putWave, viewOf, type WaveRecord, waveCollection } from "./wave-record.js";
import { WaveRun } from "./wave-run.js";

/** What waves work with. */
export interface WavesOptions {
  readonly store: Store;
  readonly calls: InnerCalls;
  readonly log: Log;
  /** Whether a certificate was revoked: its holder's waves begin nothing any more. */
  readonly isRevoked: (serial: string) => boolean;
  /** An operation as it is now, or was at its end. */
  readonly operation: (name: string) => Operation | undefined;
  /** Aborts when the hub ends. */
  readonly stop: AbortSignal;
}

/** All waves that there are: each the work of an operation, kept in the store, and gone on with after a restart. */
export class Waves implements OperationWork {
  readonly #options: WavesOptions;
  readonly #records = new Map<string, WaveRecord>();
  readonly #runs = new Map<string, WaveRun>();
  readonly #writing = new Map<string, Promise<void>>();
  readonly #dirty = new Set<string>();

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

  /** A new wave of an operation that is about to begin: to be committed with it, and then {@link add added}. */
  plan(operation: Operation, spec: WaveSpec, caller: Caller): { readonly change: Change; readonly add: () => void } {
    const record = newWave(operation.name, spec, caller);
    return { change: putWave(record), add: () => this.#records.set(record.name, record) };
  }

  /** @throws {ZorError} NOT_FOUND */
  get(name: string): Wave {
    return viewOf(this.#find(name), this.#options.operation(name));
  }

  /** Durable when it resolves. @throws {ZorError} NOT_FOUND, FAILED_PRECONDITION when it has ended. */
  async setPaused(name: string, paused: boolean): Promise<Wave> {
    const record = this.#find(name);
    if (this.#options.operation(name)?.state !== OperationState.OPERATION_STATE_RUNNING) {
      throw failedPrecondition("OPERATION_ENDED", name, `the wave ${name} has ended already`);
    }
    await this.#options.store.commit([putWave({ ...record, paused })]);
    record.paused = paused;
    this.#runs.get(name)?.look();
    return this.get(name);
  }

  isPending({ name }: Operation): boolean {
    return this.#records.has(name);
  }

  isDone(): boolean {
    return false;
  }

  async run({ name }: Operation, context: OperationContext): Promise<undefined> {
    const { stop } = this.#options;
    const wave = this.#find(name);
    const run = new WaveRun({
      wave,
      stop,
      act: (index, began) => this.#act(wave, index, began),
      changed: () => this.#keep(wave),
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

  async #act(wave: WaveRecord, index: number, began: (operation: string) => void): Promise<void> {
    const { calls, isRevoked, stop } = this.#options;
    const { spec, caller, name } = wave;
    if (caller.serial !== undefined && isRevoked(caller.serial)) {
      throw permissionDenied(`the identity of ${caller.identity}, who began the wave, was revoked`);
    }
    const request = requestOf({ spec, index, requestId: itemRequestId(name, index) });
    await callItem(methodOf(spec.method).method, request, { calls, caller, signal: stop }, began);
  }

  /** One write at a time; what changes meanwhile is in the next. What is lost in a crash is done again, and recognised. */
  #keep(wave: WaveRecord): void {
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

  #find(name: string): WaveRecord {
    const record = this.#records.get(name);
    if (record === undefined)
      throw notFound(name, "there is no wave of that name; waves are kept as long as operations");
    return record;
  }
}
