import { resourceExhausted } from "../errors.js";

/** Most there may be of something at once: of one identity, from one address and in all. */
export interface QuotaLimits {
  readonly identity: number;
  readonly address: number;
  readonly all: number;
}

/** Whose a thing is. */
export interface Owner {
  /** URI of the caller, such as "zor://user/ana"; "" for callers without one. */
  readonly identity: string;
  /** As `addressGroup` gives it. */
  readonly address: string;
}

/** Counts things by their owner, so that a limit belongs to whoever makes them and not to a connection. */
export class Quota {
  readonly #what: string;
  readonly #limits: QuotaLimits;
  readonly #identities = new Map<string, number>();
  readonly #addresses = new Map<string, number>();
  #all = 0;

  /** @param what plural, for messages: "watches". */
  constructor(what: string, limits: QuotaLimits) {
    this.#what = what;
    this.#limits = limits;
  }

  /** How many an identity has, or there are in all. */
  count(identity?: string): number {
    return identity === undefined ? this.#all : (this.#identities.get(identity) ?? 0);
  }

  /** Counts `amount` more. Returns how to give it back, once. @throws {ZorError} RESOURCE_EXHAUSTED, with what to do. */
  take({ identity, address }: Owner, amount = 1): () => void {
    const { identity: ofIdentity, address: ofAddress, all } = this.#limits;
    const check = (count: number, limit: number, whose: string): void => {
      if (count + amount <= limit) return;
      throw resourceExhausted(
        "TOO_MANY",
        `${whose} ${limit} ${this.#what}, the most that are allowed: end some of them, or try again later`,
      );
    };
    if (identity !== "") check(this.count(identity), ofIdentity, `${identity} has`);
    check(this.#addresses.get(address) ?? 0, ofAddress, "this address has");
    check(this.#all, all, "this server has");
    add(this.#identities, identity, amount);
    add(this.#addresses, address, amount);
    this.#all += amount;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      add(this.#identities, identity, -amount);
      add(this.#addresses, address, -amount);
      this.#all -= amount;
    };
  }
}

function add(counts: Map<string, number>, key: string, amount: number): void {
  const count = (counts.get(key) ?? 0) + amount;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
