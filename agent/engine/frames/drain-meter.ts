/** Time spent saturated that makes a rate; less says nothing. */
const leastMs = 20;

/**
 * How fast a connection takes bytes while there is more than it can take. Idle time does not count, or the rate of bursts would come
 * out far too low. Pure: times are given in milliseconds of any steady clock.
 */
export class DrainMeter {
  #sinceMs = Number.NaN;
  #saturatedMs = 0;
  #bytes = 0;

  /** The connection has refused bytes. */
  refused(nowMs: number): void {
    if (Number.isNaN(this.#sinceMs)) this.#sinceMs = nowMs;
  }

  /** The connection has taken bytes. */
  took(bytes: number): void {
    if (!Number.isNaN(this.#sinceMs)) this.#bytes += bytes;
  }

  /** Nothing waits any more. */
  emptied(nowMs: number): void {
    if (Number.isNaN(this.#sinceMs)) return;
    this.#saturatedMs += nowMs - this.#sinceMs;
    this.#sinceMs = Number.NaN;
  }

  /** Whether something has waited since the connection refused bytes. */
  get saturated(): boolean {
    return !Number.isNaN(this.#sinceMs);
  }

  /** Bytes per second since the last call; undefined when it was hardly ever saturated. */
  takeRate(nowMs: number): number | undefined {
    const { saturated } = this;
    if (saturated) this.emptied(nowMs);
    const rate = this.#saturatedMs < leastMs ? undefined : (this.#bytes * 1_000) / this.#saturatedMs;
    this.#saturatedMs = 0;
    this.#bytes = 0;
    if (saturated) this.#sinceMs = nowMs;
    return rate;
  }
}
