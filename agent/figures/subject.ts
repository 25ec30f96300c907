import type { Measured } from "../../lib/figures/encoder.js";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";

/** Which sample is being taken. */
export interface SampleClock {
  /** Number of the sample that is being taken. */
  readonly number: number;
  /** Milliseconds since the one before; 0: there was none. */
  readonly elapsedMs: number;
}

/** Something that is measured. */
export class Subject implements Measured {
  readonly name: string;
  readonly part: string;
  readonly figures: readonly Figure[];
  readonly values: Float64Array;
  readonly #clock: SampleClock;
  /** Which totals have been read once. */
  readonly #counted = new Set<number>();
  changedAt = 0;

  constructor(options: Pick<Measured, "name" | "part" | "figures"> & { readonly clock: SampleClock }) {
    this.name = options.name;
    this.part = options.part;
    this.figures = options.figures;
    this.values = new Float64Array(options.figures.length);
    this.#clock = options.clock;
  }

  /** Sets a value, by the position of its figure. */
  set(position: number, value: number): void {
    const whole = Math.max(0, Math.round(value));
    if (this.values[position] === whole || !Number.isSafeInteger(whole)) return;
    this.values[position] = whole;
    this.changedAt = this.#clock.number;
  }

  /**
   * Sets a total, and its rate: a second's part of what came since the total was set last.
   * A total that went back has begun anew. @param elapsedMs since it was set last; default: since the last sample.
   */
  count(rate: number, total: number, value: number, elapsedMs = this.#clock.elapsedMs): void {
    const before = this.values[total] ?? 0;
    const isFirst = !this.#counted.has(total);
    this.#counted.add(total);
    const grown = isFirst || value < before || elapsedMs <= 0 ? 0 : value - before;
    this.set(total, value);
    this.set(rate, grown === 0 ? 0 : (grown * 1000) / elapsedMs);
  }
}

/** All that is measured on a host. */
export class Subjects {
  readonly all = new Set<Subject>();
  readonly clock: SampleClock;

  constructor(clock: SampleClock) {
    this.clock = clock;
  }

  add(name: string, part: string, figures: readonly Figure[]): Subject {
    const subject = new Subject({ name, part, figures, clock: this.clock });
    this.all.add(subject);
    return subject;
  }

  remove(subject: Subject): void {
    this.all.delete(subject);
  }
}
