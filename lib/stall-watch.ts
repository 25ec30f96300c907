/** A time in which this program did nothing. */
export interface Stall {
  readonly ms: number;
  /** For people: what it did meanwhile, as far as the system tells. */
  readonly cause: string;
}

/** What a stall is measured with; tests have their own. */
export interface StallSources {
  readonly now: () => number;
  /** Microseconds of processor time so far. */
  readonly cpuUs: () => number;
}

const lookMs = 500;
const leastMs = 3000;
const system: StallSources = {
  now: () => performance.now(),
  cpuUs: () => {
    const { user, system: kernel } = process.cpuUsage();
    return user + kernel;
  },
};

/**
 * Tells when the main thread was held up: others call the program silent then, and only it can say why. Processor time tells work of its
 * own from waiting for the system, or for a processor.
 */
export class StallWatch implements Disposable {
  readonly #tell: (stall: Stall) => void;
  readonly #sources: StallSources;
  readonly #timer: NodeJS.Timeout;
  #atMs: number;
  #cpuUs: number;

  constructor(tell: (stall: Stall) => void, sources: StallSources = system) {
    this.#tell = tell;
    this.#sources = sources;
    this.#atMs = sources.now();
    this.#cpuUs = sources.cpuUs();
    this.#timer = setInterval(() => this.look(), lookMs).unref();
  }

  /** Looks whether it is late. */
  look(): void {
    const [nowMs, cpuUs] = [this.#sources.now(), this.#sources.cpuUs()];
    const lateMs = nowMs - this.#atMs - lookMs;
    const busyMs = (cpuUs - this.#cpuUs) / 1000;
    this.#atMs = nowMs;
    this.#cpuUs = cpuUs;
    if (lateMs < leastMs) return;
    const share = busyMs / (lateMs + lookMs);
    const cause =
      share > 0.6
        ? "it was busy with work of its own"
        : "it waited for the system, or for a processor: the host has too much to do, or its disk is slow";
    this.#tell({ ms: Math.round(lateMs), cause: `${cause} (${Math.round(busyMs)} ms of processor time)` });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
