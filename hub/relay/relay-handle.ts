import type { Log } from "../../lib/log.js";
import { isDnsName } from "../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../lib/underlay-address.js";
import type { Fleet } from "../fleet/fleet.js";
import { placesOf } from "../kinds/link/link-record.js";
import type { Links } from "../kinds/link/links.js";
import { isLocal, isPlain } from "../kinds/link/reconcile/end-specs.js";
import type { RelayInput } from "../kinds/link/reconcile/plan-input.js";
import { splitAddress } from "../kit/split-address.js";
import { Relay, type RelayGrant, type RelayOptions } from "./relay.js";
import type { RelayedState } from "./relay-link.js";
import type { RelayMeter } from "./relay-meter.js";
import type { RelayTickets } from "./relay-tickets.js";

/** What the hub's relay works with. */
export interface RelayHandleOptions {
  readonly links: Links;
  /** Read when it is needed: fleet and links know each other. */
  readonly fleet: () => Fleet;
  readonly tickets: RelayTickets;
  readonly meter: RelayMeter;
  readonly log: Log;
}

/** The relay as the rest of the hub knows it: whom it lets in follows from links and hosts. */
export class RelayHandle {
  readonly #options: RelayHandleOptions;
  #relay: Relay | undefined;
  #addresses: readonly string[] = [];

  constructor(options: RelayHandleOptions) {
    this.#options = options;
  }

  /** Serves. @returns the addresses with their real ports. @throws {ZorError} UNAVAILABLE. */
  async listen(
    addresses: readonly string[],
    options: Pick<RelayOptions, "limits" | "news"> = {},
  ): Promise<readonly string[]> {
    this.#relay = await Relay.listen({
      addresses,
      grants: (linkUid) => this.#grants(linkUid),
      onBytes: (linkUid, bytes) => this.#options.meter.add({ linkUid, hostUids: this.#hostUids(linkUid) }, bytes),
      log: this.#options.log,
      ...options,
    });
    return this.#relay.addresses;
  }

  /** Addresses that the machine does not have now. */
  get missing(): readonly string[] {
    return this.#relay?.missing ?? [];
  }

  /** Says where hosts reach the relay. What only the hub's own machine reaches is left out. */
  advertise(addresses: readonly string[]): void {
    const isUsable = (host: string): boolean => isDnsName(host) || refusalOfUnderlayIp(host) === undefined;
    this.#addresses = addresses.filter((address) => isUsable(splitAddress(address).host));
    if (this.#addresses.length > 0 || this.#relay === undefined || this.#relay.addresses.length === 0) return;
    this.#options.log.info("the relay listens on loopback only: hosts that cannot reach each other cannot be linked");
  }

  /** What plans need to know of it; undefined while there is none. */
  input(): RelayInput | undefined {
    if (this.#relay === undefined) return undefined;
    return { addresses: this.#addresses, ticketOf: (subject) => this.#options.tickets.ticketOf(subject) };
  }

  /** What of a link is at the relay now. */
  stateOf(linkUid: string): RelayedState {
    return this.#relay?.stateOf(linkUid) ?? { waiting: [], paired: false };
  }

  /** Links, hosts or tickets have changed. */
  recheck(): void {
    this.#relay?.recheck();
  }

  async close(): Promise<void> {
    await this.#relay?.close();
  }

  #hostUids(linkUid: string): string[] {
    const record = this.#options.links.findByUid(linkUid);
    if (record === undefined) return [];
    const { a, b } = placesOf(record.link);
    return [a, b].flatMap(({ host }) => this.#options.fleet().find(host)?.host.uid || []);
  }

  #grants(linkUid: string): RelayGrant[] {
    const { links, fleet, tickets } = this.#options;
    const record = links.findByUid(linkUid);
    if (record === undefined || record.deleting) return [];
    const places = placesOf(record.link);
    // The hub carries ciphertext only.
    if (isLocal(places) || record.link.spec === undefined || isPlain(record.link.spec)) return [];
    return [places.a, places.b].flatMap(({ host }) => {
      const hostUid = fleet().find(host)?.host.uid ?? "";
      if (hostUid === "") return [];
      return [{ host, ticketOf: (role) => tickets.ticketOf({ linkUid, role, host, hostUid }) }];
    });
  }
}
