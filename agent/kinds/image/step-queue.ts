/** A step of long work, for people. */
export interface Step {
  readonly step: string;
  readonly percent: number;
}

/** At most so often a client is told of the same step. */
const tellMs = 250;

/** The newest step of some work, for whoever reads at leisure: what nobody read in time is left out. */
export class StepQueue {
  #next: Step | undefined;
  #told: { readonly step: string; readonly timeMs: number } | undefined;
  #wake: (() => void) | undefined;

  set(step: Step): void {
    const now = performance.now();
    const name = step.step.replace(/\d+/g, "");
    if (this.#told?.step === name && now - this.#told.timeMs < tellMs) return;
    this.#told = { step: name, timeMs: now };
    this.#next = step;
    this.#wake?.();
  }

  /** The steps until the work has ended, however. */
  async *until(work: Promise<unknown>): AsyncIterable<Step> {
    let isDone = false;
    const ended = (): void => {
      isDone = true;
      this.#wake?.();
    };
    work.then(ended, ended);
    while (!isDone) {
      const step = this.#next;
      this.#next = undefined;
      if (step !== undefined) yield step;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (isDone || this.#next !== undefined) resolve();
        });
      }
    }
  }
}
