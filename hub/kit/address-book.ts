import { type Advertised, advertisedAddresses, canonicalAddress, type HubAddresses, ownAddresses } from "../config.js";

/** Where the hub is reached. It is filled once all ports are bound. */
export class AddressBook {
  #own: ReadonlySet<string> = new Set();
  #advertised: Advertised | undefined;

  /** @param bound where it listens, with the real ports. @param advertise its API's addresses as others reach it, when they differ. */
  fill(bound: HubAddresses, advertise: readonly string[]): void {
    this.#own = ownAddresses(bound);
    this.#advertised = advertisedAddresses(bound, advertise);
  }

  /** Whether an "ip:port" is one of the hub's own. */
  isOwn(address: string): boolean {
    return this.#own.has(canonicalAddress(address));
  }

  /** What joiners are told. @throws {Error} before the hub listens. */
  get advertised(): Advertised {
    if (this.#advertised === undefined) throw new Error("the hub is not listening yet");
    return this.#advertised;
  }
}
