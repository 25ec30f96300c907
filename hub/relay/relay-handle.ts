import type { Log } from "../../lib/log.js";
import { isDnsName } from "../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../lib/underlay-address.js";
import { splitAddress } from "../kit/split-address.js";
import { Relay, type RelayGrant, type RelayOptions } from "./relay.js";
import type { RelayedState } from "./relay-link.js";
import type { RelayMeter } from "./relay-meter.js";
import type { RelayTickets } from "./relay-tickets.js";
import type { RelayedLinks } from "./relayed-links.js";
import type { TicketSubject } from "./ticket-subject.js";

/** What the hub's relay works with. */
export interface RelayHandleOptions {
  readonly tickets: RelayTickets;
  readonly meter: RelayMeter;
  readonly log: Log;
}

/** Where hosts reach the relay, and with what. */
export interface RelayAccess {
  /** "ip:port"s at which hosts reach it; empty: they cannot. */
  readonly addresses: readonly string[];
  readonly ticketOf: (subject: TicketSubject) => Buffer;
}

/** The relay as the rest of the hub knows it: whom it lets in follows from the links that it was given. */
export class RelayHandle {
  readonly #options: RelayHandleOptions;
  #relay: Relay | undefined;
  #addresses: readonly string[] = [];
  #links: RelayedLinks | undefined;

  constructor(options: RelayHandleOptions) {
    this.#options = options;
  }

  /** Which links it carries; until it is told, none. */
  carry(links: RelayedLinks): void {
    this.#links = links;
  }

  /** What it has counted and whom it lets in, as it is stored. */
  get records(): Pick<RelayHandleOptions, "tickets" | "meter"> {
    return this.#options;
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

  /** How hosts come to it; undefined while there is none. */
  access(): RelayAccess | undefined {
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
    return [...(this.#links?.hostUidsOf(linkUid) ?? [])];
  }

  #grants(linkUid: string): RelayGrant[] {
    const { tickets } = this.#options;
    const hosts = this.#links?.admitted(linkUid) ?? [];
    return hosts.map(({ host, hostUid }) => ({
      host,
      ticketOf: (role) => tickets.ticketOf({ linkUid, role, host, hostUid }),
    }));
  }
}
