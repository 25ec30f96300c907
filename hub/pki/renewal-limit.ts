import { resourceExhausted } from "../../lib/errors.js";

/** Renewals an identity may make at once; one comes back every `perRenewalMs`. */
const burst = 10;
const perRenewalMs = 6 * 60_000;

/** Keeps one identity from making certificates without end: counts renewals in a leaky bucket per identity. */
export class RenewalLimit {
  readonly #now: () => number;
  /** Identity to the time at which its bucket is empty. As many as there are identities that renewed of late. */
  readonly #emptyAt = new Map<string, number>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Counts a renewal. @throws {ZorError} RESOURCE_EXHAUSTED with reason TOO_MANY_RENEWALS when the allowance is used up. */
  take(identity: string): void {
    const now = this.#now();
    for (const [other, emptyAt] of this.#emptyAt) if (emptyAt <= now) this.#emptyAt.delete(other);
    const emptyAt = this.#emptyAt.get(identity) ?? now;
    const waitMs = emptyAt - now - (burst - 1) * perRenewalMs;
    if (waitMs > 0) {
      throw resourceExhausted(
        "TOO_MANY_RENEWALS",
        `${identity} has renewed its certificate ${burst} times of late; use the one it has and try again in ${Math.ceil(waitMs / 1000)} s`,
      );
    }
    this.#emptyAt.set(identity, emptyAt + perRenewalMs);
  }
}
