import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../../lib/errors.js";
import { toStatus } from "../../../lib/grpc/status-codec.js";
import type { OperationContext } from "../../../lib/operations.js";
import { type WaveItem, WaveItemState } from "../../../proto/gen/zor/v1/wave.js";
import { badCount, batchPauseMs, isAwaited, isBad, isEnded, isUnderWay, nextBatch, spentText } from "./budget.js";
import { isUnsure } from "./item-call.js";
import { countOf, type WaveProgress, type WaveRecord } from "./wave-record.js";

const { WAVE_ITEM_STATE_PENDING: pending, WAVE_ITEM_STATE_RUNNING: running } = WaveItemState;
const { WAVE_ITEM_STATE_SUCCEEDED: succeeded, WAVE_ITEM_STATE_FAILED: failed } = WaveItemState;
const { WAVE_ITEM_STATE_SKIPPED: skipped, WAVE_ITEM_STATE_UNCONFIRMED: unconfirmed } = WaveItemState;

/** Told how it goes with one of a wave. */
export interface ActTold {
  /** An earlier run has asked for it, and nobody knows what became of that. */
  readonly isAskedAgain: boolean;
  /** It waits for this operation. */
  readonly began: (operation: string) => void;
  /** Its host does not answer; it may have done it, or not. */
  readonly waits: (error: ZorError, mayBeDone: boolean) => void;
  /** The host has answered again. */
  readonly answered: () => void;
}

/** What a wave is carried out with. */
export interface WaveRunOptions {
  readonly wave: WaveRecord;
  /** Whether its caller may still do it; asked before each is begun. @throws {ZorError} why not: the wave ends then. */
  readonly permit: () => void;
  /** Does it to one; resolves when that is done. Idempotent. */
  readonly act: (index: number, told: ActTold) => Promise<void>;
  /** Told why it has paused by itself. */
  readonly paused: (why: string) => void;
  /** Something has changed that is to be kept. */
  readonly changed: () => void;
  /** Aborts when the hub ends: what is under way is done again by the next run. */
  readonly stop: AbortSignal;
}

/** One run of a wave: begins one resource after the other while its bounds allow, and ends when nothing is left to begin or to wait for. */
export class WaveRun {
  readonly #options: WaveRunOptions;
  #wake: () => void = () => undefined;
  /** Why its caller may not do it any more. */
  #refusal: unknown;
  /** The wait before the next batch. */
  #wait: NodeJS.Timeout | undefined;
  #isWaitOver = false;
  readonly #givenUp = new AbortController();

  constructor(options: WaveRunOptions) {
    this.#options = options;
  }

  /** It was paused or resumed. */
  look(): void {
    this.#wake();
  }

  /** Aborts when nobody waits for what is under way any more. */
  get givenUp(): AbortSignal {
    return this.#givenUp.signal;
  }

  /** What is under way is waited for no longer: how it ends nobody will know. */
  giveUp(): void {
    this.#givenUp.abort();
    this.#wake();
  }

  /** @throws {ZorError} ABORTED when more have failed than may, PERMISSION_DENIED when its caller may not do it any more. */
  async run({ signal, progress }: OperationContext): Promise<void> {
    const { wave, stop, changed } = this.#options;
    const underWay = new Set<Promise<void>>();
    const onAbort = (): void => this.#wake();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (let next = this.#next(0); ; ) {
        const woken = Promise.withResolvers<void>();
        this.#wake = woken.resolve;
        this.#moveOn(signal);
        while (next !== undefined && this.#mayBegin(next, underWay.size, signal)) {
          const one = this.#begin(next).finally(() => {
            underWay.delete(one);
            this.#wake();
          });
          underWay.add(one);
          next = this.#next(next + 1);
        }
        const ended = wave.items.filter(isEnded).length;
        progress(this.#words(underWay.size), (100 * ended) / wave.items.length);
        if (stop.aborted) return;
        if (this.givenUp.aborted) break;
        if ((next === undefined || this.#isEnding(signal)) && underWay.size === 0) break;
        await woken.promise;
      }
    } finally {
      clearTimeout(this.#wait);
      signal.removeEventListener("abort", onAbort);
    }
    for (const [index, item] of wave.items.entries()) {
      if (item.state === pending) wave.items[index] = { ...item, state: skipped };
      if (isUnderWay(item)) wave.items[index] = { ...item, ...leftAlone(item) };
    }
    wave.paused = false;
    wave.pauseReason = "";
    changed();
    if (signal.aborted) throw signal.reason;
    if (this.#refusal !== undefined) throw this.#refusal;
    if (spentText(wave) !== undefined) throw spent(wave);
  }

  /** The next one that is not done; also one that was under way when the hub ended. @param from where to look. */
  #next(from: number): number | undefined {
    const { items } = this.#options.wave;
    const at = items.findIndex((item, index) => index >= from && !isEnded(item));
    return at === -1 ? undefined : at;
  }

  /** Whether nothing else is begun for good. */
  #isEnding(signal: AbortSignal): boolean {
    const { wave } = this.#options;
    if (signal.aborted || this.#refusal !== undefined) return true;
    return spentText(wave) !== undefined && !wave.spec.pauseWhenSpent;
  }

  #mayBegin(index: number, underWay: number, signal: AbortSignal): boolean {
    const { wave } = this.#options;
    if (underWay >= wave.spec.maxParallel) return false;
    // It was begun by an earlier run: what became of it is found out in any case.
    const item = wave.items[index];
    if (item !== undefined && isUnderWay(item)) return true;
    if (wave.paused || this.#isEnding(signal) || index >= wave.released) return false;
    return this.#isPermitted();
  }

  #isPermitted(): boolean {
    try {
      this.#options.permit();
      return true;
    } catch (error) {
      this.#refusal = error;
      return false;
    }
  }

  /** Pauses where it has to, and lets the next batch begin once the one before has ended. */
  #moveOn(signal: AbortSignal): void {
    const { wave } = this.#options;
    const { spec, items, released } = wave;
    if (wave.paused || this.#isEnding(signal)) return;
    const why = spentText(wave);
    const isDone = released < items.length && items.slice(0, released).every(isEnded);
    if (why !== undefined) this.#pause(why, released);
    else if (isDone && spec.pauseAfterBatch) {
      const what = released === spec.canary ? "the canaries are done" : `${released} of ${items.length} are done`;
      this.#pause(what, nextBatch(spec, released));
    } else if (isDone && this.#hasWaited()) this.#progress({ released: nextBatch(spec, released) });
  }

  /** Whether it has waited before the next batch; it begins to when it has not. */
  #hasWaited(): boolean {
    const waitMs = batchPauseMs(this.#options.wave.spec);
    if (waitMs === 0 || this.#isWaitOver) {
      [this.#wait, this.#isWaitOver] = [undefined, false];
      return true;
    }
    this.#wait ??= setTimeout(() => {
      this.#isWaitOver = true;
      this.#wake();
    }, waitMs);
    return false;
  }

  async #begin(index: number): Promise<void> {
    const { act, stop, wave } = this.#options;
    const item = wave.items[index];
    const beginTime = item?.beginTime ?? new Date();
    // Whether an earlier run still asked for it nobody can tell, and to ask again would do it in the name of somebody who may not any more.
    const isAskedAgain = item !== undefined && isUnderWay(item);
    if (isAskedAgain && !this.#isPermitted()) {
      this.#set(index, { state: unconfirmed, error: toStatus(this.#refusal), endTime: new Date() });
      return;
    }
    const goesOn = { state: running, error: undefined };
    this.#set(index, { ...goesOn, beginTime });
    const told: ActTold = {
      isAskedAgain,
      began: (operation) => this.#set(index, { operation }),
      waits: (error, mayBeDone) => this.#waits(index, error, mayBeDone),
      answered: () => this.#set(index, goesOn),
    };
    try {
      await act(index, told);
      if (!this.givenUp.aborted) this.#set(index, { state: succeeded, error: undefined, endTime: new Date() });
    } catch (error) {
      // Nobody knows how it went: the next run does it again, which is recognised.
      if (stop.aborted || this.givenUp.aborted) return;
      const state = isUnsure(error) ? unconfirmed : failed;
      this.#set(index, { state, error: toStatus(error), endTime: new Date() });
    }
  }

  /** It is told, and counts as nothing: the host is asked again. */
  #waits(index: number, error: ZorError, mayBeDone: boolean): void {
    if (this.givenUp.aborted || this.#options.stop.aborted) return;
    const message = `${error.message}; it is asked again, and waited for`;
    this.#set(index, { state: mayBeDone ? unconfirmed : running, error: { ...toStatus(error), message } });
    this.#wake();
  }

  #set(index: number, change: Partial<WaveItem>): void {
    const { items } = this.#options.wave;
    const item = items[index];
    if (item !== undefined) items[index] = { ...item, ...change };
    this.#options.changed();
  }

  #pause(why: string, released: number): void {
    this.#progress({ paused: true, pauseReason: why, released });
    this.#options.paused(why);
  }

  #progress(change: Partial<WaveProgress>): void {
    Object.assign(this.#options.wave, change);
    this.#options.changed();
  }

  #words(underWay: number): string {
    const { items, paused, pauseReason, spec } = this.#options.wave;
    const unsure = countOf(items, unconfirmed);
    const awaited = items.filter(isAwaited).length;
    const bad = badCount(items) - (unsure - awaited);
    const others = underWay - awaited;
    const isCanary = items.slice(0, spec.canary).some((item) => !isEnded(item));
    const isWaiting = this.#wait !== undefined && !this.#isWaitOver;
    const why = pauseReason === "" ? "" : ` (${pauseReason})`;
    return [
      ...(paused ? [`paused${why}`] : isCanary ? ["canary"] : isWaiting ? ["waits before the next batch"] : []),
      `${countOf(items, succeeded)} of ${items.length} done`,
      ...(bad > 0 ? [`${bad} failed`] : []),
      ...(unsure > 0 ? [`${unsure} unconfirmed`] : []),
      ...(others > 0 ? [`${others} under way`] : []),
    ].join(", ");
  }
}

function leftAlone({ name }: WaveItem): Partial<WaveItem> {
  const error = unavailable("GIVEN_UP", name, "it was under way still when its wave was cancelled again; look at it");
  return { state: unconfirmed, error: toStatus(error), endTime: new Date() };
}

function spent(wave: WaveRecord): ZorError {
  const first = wave.items.find(isBad);
  const left = countOf(wave.items, skipped);
  const message = `${spentText(wave) ?? ""}; ${left} were not begun; the first: ${first?.name ?? ""}: ${first?.error?.message ?? ""}`;
  return new ZorError({ reason: "WAVE_FAILED", code: status.ABORTED, message, resource: first?.name ?? "" });
}
