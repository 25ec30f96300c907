import { join } from "node:path";
import type { Log } from "../../lib/log.js";
import { isDnsName } from "../../lib/socket-address.js";
import type { ListenNews } from "../../lib/standing-listener.js";
import { refusalOfUnderlayIp } from "../../lib/underlay-address.js";
import { splitAddress } from "../kit/split-address.js";
import { KeptRelay } from "./kept/kept-relay.js";
import type { GrantWords, LinkGrants } from "./kept/messages.js";
import type { RelayedState } from "./relay-link.js";
import type { RelayMeter } from "./relay-meter.js";
import type { RelayTickets } from "./relay-tickets.js";
import type { RelayedHost, RelayedLinks } from "./relayed-links.js";
import type { TicketSubject } from "./ticket-subject.js";

/** What the hub's relay works with. */
export interface RelayHandleOptions {
  readonly tickets: RelayTickets;
  readonly meter: RelayMeter;
  /** The hub's state. */
  readonly directory: string;
  readonly log: Log;
}

/** Where the relay is to serve. */
export interface RelayPlaces {
  readonly addresses: readonly string[];
  /** Where hosts reach it, when that is elsewhere. */
  readonly advertise: readonly string[];
  readonly news: ListenNews;
  /** A relay ended although it was not to; the one after it serves after so many ms. */
  readonly onGap: (gapMs: number) => void;
}

/** Where hosts reach the relay, and with what. */
export interface RelayAccess {
  /** "ip:port"s at which hosts reach it; empty: they cannot. */
  readonly addresses: readonly string[];
  readonly ticketOf: (subject: TicketSubject) => Buffer;
}

const roles = ["listener", "dialer"] as const;

/** The relay as the rest of the hub knows it: whom it lets in follows from the links that it was given. */
export class RelayHandle {
  readonly #options: RelayHandleOptions;
  /** What the relay was told of each link, in short. */
  #told = new Map<string, string>();
  #relay: KeptRelay | undefined;
  #addresses: readonly string[] = [];
  #links: RelayedLinks | undefined;
  #isDue = false;

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

  /**
   * Serves, through a process that outlives the hub, unless no other machine could come.
   * @returns the addresses with their real ports. @throws {ZorError} UNAVAILABLE.
   */
  async listen({ addresses, advertise, news, onGap }: RelayPlaces): Promise<readonly string[]> {
    const { directory, meter, log } = this.#options;
    if (![...addresses, ...advertise].some((each) => isReachable(each) || isWildcard(each))) {
      if (addresses.length > 0)
        log.info("the relay would listen on loopback only: hosts that cannot reach each other cannot be linked");
      return [];
    }
    this.#relay = await KeptRelay.start({
      ...{ directory: join(directory, "relay"), addresses, news, onGap, log },
      grants: () => this.#changed(true),
      grantsOf: (linkUid) => {
        // Looked at again with the next change, whatever it is.
        this.#told.set(linkUid, "");
        return this.#grantsOf(linkUid, this.#admitted(linkUid));
      },
      onBytes: (linkUid, bytes) => meter.add({ linkUid, hostUids: this.#hostUids(linkUid) }, bytes),
    });
    return this.#relay.addresses;
  }

  /** Addresses that the machine does not have now. */
  get missing(): readonly string[] {
    return this.#relay?.missing ?? [];
  }

  /** Says where hosts reach the relay. What only the hub's own machine reaches is left out. */
  advertise(addresses: readonly string[]): void {
    this.#addresses = addresses.filter(isReachable);
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

  /** Links, hosts or tickets have changed: the relay is told before anything else is done. */
  recheck(): void {
    if (this.#isDue || this.#relay === undefined) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      const links = this.#changed(false);
      if (Object.keys(links).length > 0) this.#relay?.tell(links);
    });
  }

  async close(): Promise<void> {
    await this.#relay?.close();
  }

  #hostUids(linkUid: string): string[] {
    return [...(this.#links?.hostUidsOf(linkUid) ?? [])];
  }

  #admitted(linkUid: string): readonly RelayedHost[] {
    return this.#links?.admitted(linkUid) ?? [];
  }

  /** What the relay does not know yet, or all. */
  #changed(isAll: boolean): LinkGrants {
    const before = isAll ? new Map<string, string>() : this.#told;
    const told = new Map<string, string>();
    const links: Record<string, readonly GrantWords[] | null> = {};
    for (const uid of this.#links?.uids() ?? []) {
      const hosts = this.#admitted(uid);
      if (hosts.length === 0) continue;
      const text = JSON.stringify(hosts.map((each) => [each, this.#options.tickets.epochOf(each.host)]));
      told.set(uid, text);
      if (before.get(uid) !== text) links[uid] = this.#grantsOf(uid, hosts);
    }
    for (const uid of before.keys()) if (!told.has(uid)) links[uid] = null;
    this.#told = told;
    return links;
  }

  #grantsOf(linkUid: string, hosts: readonly RelayedHost[]): GrantWords[] {
    const { tickets } = this.#options;
    return hosts.map(({ host, hostUid }) => {
      const [listener = "", dialer = ""] = roles.map((role) =>
        tickets.ticketOf({ linkUid, role, host, hostUid }).toString("base64"),
      );
      return { host, tickets: { listener, dialer } };
    });
  }
}

/** Whether another machine can come to an address. */
function isReachable(address: string): boolean {
  const { host } = splitAddress(address);
  return isDnsName(host) || refusalOfUnderlayIp(host) === undefined;
}

function isWildcard(address: string): boolean {
  return ["0.0.0.0", "::"].includes(splitAddress(address).host);
}
