/** Probes remembered for the figures. */
const windowSize = 32;
/** A probe not answered for so long counts as lost, unless it is answered later. */
const lostAfterMs = 2_000;

/** Keeps the last probes of one connection and what became of them. Pure: times are given in milliseconds of any steady clock. */
export class ProbeBook {
  readonly #sentMs = new Float64Array(windowSize).fill(Number.NaN);
  readonly #rttMs = new Float64Array(windowSize).fill(Number.NaN);
  /** Of the answered ones, sorted; undefined: not the latest. */
  #sortedMs: Float64Array | undefined;
  #next = 0;
  #answered = 0;

  /** Probes recorded so far. */
  get sentCount(): number {
    return this.#next;
  }

  /** Those of them that were answered. */
  get answeredCount(): number {
    return this.#answered;
  }

  /** Records a probe and returns its sequence number. */
  sent(nowMs: number): number {
    const sequence = this.#next;
    this.#next = sequence + 1;
    this.#sentMs[sequence % windowSize] = nowMs;
    this.#rttMs[sequence % windowSize] = Number.NaN;
    this.#sortedMs = undefined;
    return sequence;
  }

  /** Records an echo. False when it answers no remembered probe, or one answered before. */
  echoed(sequence: number, nowMs: number): boolean {
    if (sequence >= this.#next || sequence < this.#next - windowSize) return false;
    const slot = sequence % windowSize;
    if (!Number.isNaN(this.#rttMs[slot])) return false;
    this.#rttMs[slot] = nowMs - (this.#sentMs[slot] ?? nowMs);
    this.#answered += 1;
    this.#sortedMs = undefined;
    return true;
  }

  /** Part of the remembered probes that are lost; those still under way do not count. */
  lossRatio(nowMs: number): number {
    let lost = 0;
    let counted = 0;
    for (let slot = 0; slot < windowSize; slot += 1) {
      if (!Number.isNaN(this.#rttMs[slot])) counted += 1;
      else if (nowMs - (this.#sentMs[slot] ?? Number.NaN) > lostAfterMs) {
        counted += 1;
        lost += 1;
      }
    }
    return counted === 0 ? 0 : lost / counted;
  }

  /** Round trip at a quantile, 0 to 1, of the remembered probes; undefined when none was answered. */
  rttMs(quantile: number): number | undefined {
    this.#sortedMs ??= this.#rttMs.filter((value) => !Number.isNaN(value)).sort();
    return this.#sortedMs[Math.min(this.#sortedMs.length - 1, Math.floor(this.#sortedMs.length * quantile))];
  }
}
