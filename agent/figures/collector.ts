import type { Sample } from "../../lib/figures/encoder.js";
import type { Source } from "./sources/source.js";
import { Subjects } from "./subject.js";

/** Milliseconds between samples, while somebody watches that often and while nobody does. */
const [watchedMs, restMs] = [1000, 10_000];

/** Told of each sample. */
export type SampleListener = (sample: Sample) => void;

/** Collects the figures of a host, once for all that want them. */
export class Collector {
  readonly subjects: Subjects;
  readonly #clock = { number: 0, elapsedMs: 0 };
  readonly #sources: Source[] = [];
  readonly #listeners = new Set<SampleListener>();
  readonly #onError: (error: unknown) => void;
  #watchers = 0;
  /** Those of them who want samples more often than they come anyway. */
  #eager = 0;
  #lastMs: number | undefined;
  #latest: Sample | undefined;
  #wake: (() => void) | undefined;
  #failed = false;

  /** @param onError told once when a source fails, until it works again. */
  constructor(onError: (error: unknown) => void) {
    this.subjects = new Subjects(this.#clock);
    this.#onError = onError;
  }

  /** Sources are asked in the order in which they were added. */
  add(...sources: readonly Source[]): void {
    this.#sources.push(...sources);
  }

  /** The last sample; undefined: there was none yet. */
  get latest(): Sample | undefined {
    return this.#latest;
  }

  /** Calls back after each sample. Returns the way to stop. */
  listen(listener: SampleListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Somebody watches until the returned function is called: samples come each second, unless all who watch are content with those that come
   * each 10 s anyway. @param intervalMs how often samples are wanted.
   */
  watch(listener: SampleListener, intervalMs: number): () => void {
    const stop = this.listen(listener);
    const isEager = intervalMs < restMs;
    this.#watchers += 1;
    if (isEager) {
      this.#eager += 1;
      this.#wake?.();
    }
    return () => {
      stop();
      this.#watchers -= 1;
      if (isEager) this.#eager -= 1;
    };
  }

  /** Whether somebody looks, so that samples come each second. */
  get isWatched(): boolean {
    return this.#eager > 0;
  }

  get watchers(): number {
    return this.#watchers;
  }

  /** Collects until the signal aborts; then lets go of everything. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sample();
      await this.#rest(signal);
    }
    for (const source of this.#sources) source.close();
  }

  /** Takes one sample. */
  async sample(): Promise<void> {
    const nowMs = performance.now();
    this.#clock.number += 1;
    this.#clock.elapsedMs = this.#lastMs === undefined ? 0 : nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const timeMs = Date.now();
    let failure: unknown;
    for (const source of this.#sources) {
      try {
        await source.collect();
      } catch (error) {
        failure = error;
      }
    }
    if (failure !== undefined && !this.#failed) this.#onError(failure);
    this.#failed = failure !== undefined;
    this.#latest = { number: this.#clock.number, timeMs, subjects: this.subjects.all };
    for (const listener of this.#listeners) listener(this.#latest);
  }

  /** Waits for the time of the next sample, which comes sooner when somebody begins to watch. */
  async #rest(signal: AbortSignal): Promise<void> {
    for (;;) {
      const periodMs = this.isWatched ? watchedMs : restMs;
      const leftMs = (this.#lastMs ?? 0) + periodMs - performance.now();
      if (leftMs <= 0 || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener("abort", this.#wake, { once: true });
      }).finally(() => {
        if (this.#wake !== undefined) signal.removeEventListener("abort", this.#wake);
        this.#wake = undefined;
      });
    }
  }
}
