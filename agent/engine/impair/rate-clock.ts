/**
 * A token bucket told as times (the generic cell rate algorithm, ITU-T I.371): when a frame may pass follows from the frames before it
 * and not from when we looked, so a late wake-up costs no rate. Times are milliseconds of any steady clock.
 */
export class RateClock {
  #bytesPerMs = 0;
  #burstBytes = 0;
  /** When the bucket is full again. */
  #fullMs = Number.NEGATIVE_INFINITY;

  /** Whether there is a limit. */
  get limited(): boolean {
    return this.#bytesPerMs > 0;
  }

  /** Changes the rate; what was used above it before is still owed. */
  set(options: { readonly rateBps: number; readonly burstBytes: number }, nowMs: number): void {
    const owedBytes = Math.max(0, this.#fullMs - nowMs) * this.#bytesPerMs;
    this.#bytesPerMs = options.rateBps / 8_000;
    this.#burstBytes = options.burstBytes;
    this.#fullMs = this.limited ? nowMs + owedBytes / this.#bytesPerMs : Number.NEGATIVE_INFINITY;
  }

  /** The earliest time at which so many bytes may pass, if nothing else does before. */
  earliestMs(bytes: number): number {
    if (!this.limited) return Number.NEGATIVE_INFINITY;
    // A frame larger than the bucket passes when it is full.
    return this.#fullMs - Math.max(0, this.#burstBytes - bytes) / this.#bytesPerMs;
  }

  /** So many bytes pass at this time. */
  pass(bytes: number, atMs: number): void {
    if (this.limited) this.#fullMs = Math.max(this.#fullMs, atMs) + bytes / this.#bytesPerMs;
  }
}
