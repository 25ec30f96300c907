import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import { toStatus } from "../../../lib/grpc/status-codec.js";
import type { OperationContext } from "../../../lib/operations.js";
import { counted } from "../../../lib/words.js";
import { type WaveItem, WaveItemState } from "../../../proto/gen/zor/v1/wave.js";
import { countOf, type WaveRecord } from "./wave-record.js";

const { WAVE_ITEM_STATE_PENDING: pending, WAVE_ITEM_STATE_RUNNING: running } = WaveItemState;
const { WAVE_ITEM_STATE_SUCCEEDED: succeeded, WAVE_ITEM_STATE_FAILED: failed } = WaveItemState;

/** What a wave is carried out with. */
export interface WaveRunOptions {
  readonly wave: WaveRecord;
  /** Does it to one; resolves when that is done. Idempotent. `began`: told of the operation that it waits for. */
  readonly act: (index: number, began: (operation: string) => void) => Promise<void>;
  /** Something has changed that is to be kept. */
  readonly changed: () => void;
  /** Aborts when the hub ends: what is under way is done again by the next run. */
  readonly stop: AbortSignal;
}

/** One run of a wave: begins one resource after the other while its bounds allow, and ends when nothing is left to begin or to wait for. */
export class WaveRun {
  readonly #options: WaveRunOptions;
  #wake: () => void = () => undefined;

  constructor(options: WaveRunOptions) {
    this.#options = options;
  }

  /** It was paused or resumed. */
  look(): void {
    this.#wake();
  }

  /** @throws {ZorError} ABORTED when more have failed than may. */
  async run({ signal, progress }: OperationContext): Promise<void> {
    const { wave, stop, changed } = this.#options;
    const underWay = new Set<Promise<void>>();
    const onAbort = (): void => this.#wake();
    signal.addEventListener("abort", onAbort, { once: true });
    for (let next = this.#next(0); ; ) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      while (next !== undefined && !signal.aborted && this.#mayBegin(next, underWay.size)) {
        const one = this.#begin(next).finally(() => {
          underWay.delete(one);
          this.#wake();
        });
        underWay.add(one);
        next = this.#next(next + 1);
      }
      progress(wordsOf(wave, underWay.size), (100 * (wave.items.length - this.#left())) / wave.items.length);
      if (stop.aborted) return;
      const isOver = next === undefined || signal.aborted || this.#isSpent();
      if (isOver && underWay.size === 0) break;
      await woken.promise;
    }
    signal.removeEventListener("abort", onAbort);
    const skipped = WaveItemState.WAVE_ITEM_STATE_SKIPPED;
    for (const [index, item] of wave.items.entries())
      if (item.state === pending) wave.items[index] = { ...item, state: skipped };
    changed();
    if (signal.aborted) throw signal.reason;
    if (this.#isSpent()) throw spent(wave);
  }

  /** The next one that is not done; also one that was under way when the hub ended. @param from where to look. */
  #next(from: number): number | undefined {
    const { items } = this.#options.wave;
    const at = items.findIndex(({ state }, index) => index >= from && (state === pending || state === running));
    return at === -1 ? undefined : at;
  }

  #left(): number {
    return countOf(this.#options.wave.items, pending) + countOf(this.#options.wave.items, running);
  }

  #mayBegin(index: number, underWay: number): boolean {
    const { paused, spec, items } = this.#options.wave;
    if (paused || underWay >= spec.maxParallel || this.#isSpent()) return false;
    // Those of an earlier run are begun by what they were begun then.
    return index < spec.canary || items.slice(0, spec.canary).every(({ state }) => state === succeeded);
  }

  #isSpent(): boolean {
    const { spec, items } = this.#options.wave;
    const isCanaryDead = items.slice(0, spec.canary).some(({ state }) => state === failed);
    return isCanaryDead || countOf(items, failed) > spec.maxFailures;
  }

  async #begin(index: number): Promise<void> {
    const { act, stop } = this.#options;
    this.#set(index, { state: running });
    try {
      await act(index, (operation) => this.#set(index, { operation }));
      this.#set(index, { state: succeeded });
    } catch (error) {
      // Nobody knows how it went: the next run does it again, which is recognised.
      if (!stop.aborted) this.#set(index, { state: failed, error: toStatus(error) });
    }
  }

  #set(index: number, change: Partial<WaveItem>): void {
    const { items } = this.#options.wave;
    const item = items[index];
    if (item !== undefined) items[index] = { ...item, ...change };
    this.#options.changed();
  }
}

function wordsOf({ items, paused, spec }: WaveRecord, underWay: number): string {
  const [done, bad] = [countOf(items, succeeded), countOf(items, failed)];
  const isCanary = items.slice(0, spec.canary).some(({ state }) => state === pending || state === running);
  return [
    ...(paused ? ["paused"] : isCanary ? ["canary"] : []),
    `${done} of ${items.length} done`,
    ...(bad > 0 ? [`${bad} failed`] : []),
    ...(underWay > 0 ? [`${underWay} under way`] : []),
  ].join(", ");
}

function spent({ items, spec }: WaveRecord): ZorError {
  const bad = items.filter(({ state }) => state === failed);
  const left = countOf(items, WaveItemState.WAVE_ITEM_STATE_SKIPPED);
  const [first] = bad;
  const bound = bad.length > spec.maxFailures ? `more than the ${spec.maxFailures} that may` : "among the canaries";
  const message = `${counted(bad.length, "resource")} failed, ${bound}; ${left} were not begun; the first: ${first?.name ?? ""}: ${first?.error?.message ?? ""}`;
  return new ZorError({ reason: "WAVE_FAILED", code: status.ABORTED, message, resource: first?.name ?? "" });
}
