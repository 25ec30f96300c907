import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import { makeRelayGreeting, RelayStatus, relayParkMs } from "../../lib/relay-preamble.js";
import type { RelayRole } from "../../lib/relay-role.js";
import { type ListenNews, StandingListener, silentNews } from "../../lib/standing-listener.js";
import { type BucketRate, TokenBucket } from "../../lib/token-bucket.js";
import { splitAddress } from "../kit/split-address.js";
import { readPreamble } from "./read-preamble.js";
import { type RelayedState, RelayLink, type RelayTimes } from "./relay-link.js";
import { Splicer, type SplicerOptions } from "./splicer.js";
import { type RelayedEnd, refuse } from "./waiting-end.js";

/** A host that may use the relay for a link. */
export interface RelayGrant {
  /** Id of the host. */
  readonly host: string;
  /** Its ticket for a role. */
  readonly ticketOf: (role: RelayRole) => Buffer;
}

/** What a relay works with. */
export interface RelayOptions {
  /** Addresses; port 0 picks one. */
  readonly addresses: readonly string[];
  /** Told of addresses that are not there, and when they come. */
  readonly news?: ListenNews;
  /** The hosts that may use the relay for a link, by the link's uid; none: it is not relayed, or there is no such link. */
  readonly grants: (linkUid: string) => readonly RelayGrant[];
  /** Asks whether there is more to know of a link than {@link grants} says; default: there is not. */
  readonly learn?: (linkUid: string) => Promise<void>;
  /** Told of the bytes passed on, every half second. */
  readonly onBytes: (linkUid: string, bytes: number) => void;
  /** Told when something came or went of a link. */
  readonly onState?: (linkUid: string, state: RelayedState) => void;
  readonly log: Log;
  /** Other bounds than {@link relayLimits}, for tests. */
  readonly limits?: Partial<RelayLimits>;
  /** Starts the thread that passes on bytes; another than the hub's own in tests. */
  readonly startThread?: NonNullable<SplicerOptions["startThread"]>;
}

/** Bounds of a relay. */
export interface RelayLimits extends RelayTimes {
  /** Time for the whole preamble, in ms. */
  readonly preambleMs: number;
  /** Connections that have not proven themselves, in all and from one address. */
  readonly unproven: number;
  readonly unprovenPerAddress: number;
  /** Connections in all. */
  readonly connections: number;
  /** Connections that have proven themselves, of each host: as many as a host can have links, and then slowly. */
  readonly admissions: BucketRate;
}

const relayLimits: RelayLimits = {
  preambleMs: 5000,
  parkMs: relayParkMs,
  idleMs: 90_000,
  lingerMs: 10_000,
  unproven: 256,
  unprovenPerAddress: 32,
  connections: 8192,
  admissions: { burst: 2_000, perSecond: 50 },
};
const keepAliveMs = 10_000;

/**
 * Joins the two ends of a link whose hosts cannot reach each other. It knows whom it lets in, by tickets, and passes on what they
 * say, which is TLS between the hosts: the relay has no key to it.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #servers: Server[] = [];
  readonly #links = new Map<string, RelayLink>();
  readonly #splicer: Splicer;
  readonly #sockets = new Set<Socket>();
  /** Connections that have not proven themselves, by remote address. */
  readonly #unproven = new Map<string, number>();
  /** By host: what it may still connect. */
  readonly #admissions = new Map<string, TokenBucket>();
  #standing: StandingListener | undefined;
  /** What was asked for that {@link #standing} does. */
  #wanted: string | undefined;
  /** Listeners that take nobody any more: they are closed when all that came by them has gone. */
  readonly #closed: Promise<void>[] = [];
  #closing = false;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#limits = { ...relayLimits, ...options.limits };
    const { log, startThread } = options;
    this.#splicer = new Splicer({ log, ...(startThread === undefined ? {} : { startThread }) });
  }

  /** @throws {ZorError} UNAVAILABLE when an address cannot be bound; then none is. */
  static async listen(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    try {
      await relay.serve(options.addresses);
      return relay;
    } catch (error) {
      await relay.close();
      throw error;
    }
  }

  /**
   * Serves at these addresses and no others from now on; what has come by the others stays. Those that are served already go on with
   * the port they have. @throws {ZorError} UNAVAILABLE when an address cannot be bound; then none is.
   */
  async serve(addresses: readonly string[]): Promise<void> {
    const wanted = addresses.join();
    if (wanted === this.#wanted) return;
    await this.#withdraw();
    const bind = (address: string): Promise<number> => this.#bind(address);
    try {
      this.#standing = await StandingListener.open(addresses, { ...silentNews, ...this.#options.news, bind });
      this.#wanted = wanted;
    } catch (error) {
      await this.#withdraw();
      throw error;
    }
  }

  /** Serves nowhere; what is connected stays. */
  async #withdraw(): Promise<void> {
    this.#wanted = undefined;
    await this.#standing?.[Symbol.asyncDispose]();
    this.#standing = undefined;
    for (const server of this.#servers.splice(0)) this.#closed.push(closed(server));
  }

  /** Addresses with their real ports; those that are not there, as they were given. */
  get addresses(): readonly string[] {
    return this.#standing?.addresses ?? [];
  }

  /** Addresses that are not there. */
  get missing(): readonly string[] {
    return this.#standing?.missing ?? [];
  }

  /** Pairs that are here now. */
  get pairs(): number {
    return [...this.#links.values()].filter(({ state }) => state.paired).length;
  }

  /** All links of which something is here. */
  get states(): Readonly<Record<string, RelayedState>> {
    return Object.fromEntries([...this.#links].map(([uid, { state }]) => [uid, state]));
  }

  /** What of a link is here now. */
  stateOf(linkUid: string): RelayedState {
    return this.#links.get(linkUid)?.state ?? { waiting: [], paired: false };
  }

  /** Links, hosts or tickets have changed: ends every connection that would not be let in now. */
  recheck(): void {
    for (const [linkUid, link] of [...this.#links]) {
      const grants = this.#options.grants(linkUid);
      const isGood = (end: RelayedEnd): boolean =>
        grants.some(({ host, ticketOf }) => host === end.host && timingSafeEqual(ticketOf(end.role), end.ticket));
      link.recheck(isGood, RelayStatus.Gone);
    }
  }

  /** Stops serving; every cable that goes through the relay is cut. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#withdraw();
    for (const link of [...this.#links.values()]) link.recheck(() => false, RelayStatus.ShuttingDown);
    // Sockets of pairs are closed once nobody works on them any more.
    await this.#splicer.close();
    for (const socket of this.#sockets) socket.destroySoon();
    await Promise.all(this.#closed);
  }

  async #bind(address: string): Promise<number> {
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs },
      (socket) => void this.#onConnection(socket),
    );
    server.maxConnections = this.#limits.connections;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(splitAddress(address), resolve);
    try {
      await promise;
    } catch (error) {
      throw new ZorError({
        reason: "CANNOT_LISTEN",
        code: status.UNAVAILABLE,
        message: `cannot listen on ${address} for relayed links: ${messageOf(error)}; give another with --relay-listen`,
        cause: error,
      });
    }
    // Such as too many open files: it passes by itself.
    server.on("error", (error) => this.#options.log.error({ err: error }, "the relay's listener has a problem"));
    this.#servers.push(server);
    const bound = server.address();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  async #onConnection(socket: Socket): Promise<void> {
    const peer = socket.remoteAddress ?? "";
    const ofPeer = this.#unproven.get(peer) ?? 0;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // Whoever waits for something on the socket sees it close.
    socket.on("error", () => socket.destroy());
    const greeting = makeRelayGreeting();
    socket.write(greeting.bytes);
    const inAll = [...this.#unproven.values()].reduce((sum, count) => sum + count, 0);
    if (inAll >= this.#limits.unproven || ofPeer >= this.#limits.unprovenPerAddress) {
      refuse(socket, RelayStatus.Busy);
      return;
    }
    this.#unproven.set(peer, ofPeer + 1);
    try {
      await this.#admit(socket, greeting.challenge);
    } finally {
      const left = (this.#unproven.get(peer) ?? 1) - 1;
      if (left === 0) this.#unproven.delete(peer);
      else this.#unproven.set(peer, left);
    }
  }

  async #admit(socket: Socket, challenge: Buffer): Promise<void> {
    const preamble = await readPreamble(socket, this.#limits.preambleMs);
    if (socket.destroyed) return;
    if (preamble === undefined) return refuse(socket, RelayStatus.BadPreamble);
    if (this.#closing) return refuse(socket, RelayStatus.ShuttingDown);
    const { linkUid, role } = preamble;
    const match = () => matching(this.#options.grants(linkUid), role, (ticket) => preamble.verify(ticket, challenge));
    let found = match();
    if (found === undefined) {
      // A link or a ticket may be so new that nobody has told of it yet.
      await this.#options.learn?.(linkUid);
      found = match();
    }
    if (socket.destroyed) return;
    if (this.#closing) return refuse(socket, RelayStatus.ShuttingDown);
    if (found === undefined) return refuse(socket, RelayStatus.NotAuthorised);
    const { host, ticket } = found;
    if (!this.#admissionsOf(host).take()) return refuse(socket, RelayStatus.Busy);
    const link = this.#linkOf(linkUid);
    link.add({ socket, role, host, ticket });
    this.#options.onState?.(linkUid, link.state);
  }

  #admissionsOf(host: string): TokenBucket {
    const known = this.#admissions.get(host);
    if (known !== undefined) return known;
    // Hosts that have not come for long have nothing to be held against them.
    for (const [other, bucket] of this.#admissions) if (bucket.isFull) this.#admissions.delete(other);
    const bucket = new TokenBucket(this.#limits.admissions);
    this.#admissions.set(host, bucket);
    return bucket;
  }

  #linkOf(linkUid: string): RelayLink {
    const known = this.#links.get(linkUid);
    if (known !== undefined) return known;
    const link = new RelayLink({
      times: this.#limits,
      splicer: this.#splicer,
      onBytes: (bytes) => this.#options.onBytes(linkUid, bytes),
      onCopy: (copy) =>
        this.#options.log.warn({ linkUid, ...copy }, "two live hosts with one identity want one end of a link"),
      onChange: () => {
        this.#options.onState?.(linkUid, link.state);
        if (link.isEmpty && this.#links.get(linkUid) === link) this.#links.delete(linkUid);
      },
    });
    this.#links.set(linkUid, link);
    return link;
  }
}

/** The grant that an end has the ticket of. */
function matching(
  grants: readonly RelayGrant[],
  role: RelayRole,
  verify: (ticket: Buffer) => boolean,
): { readonly host: string; readonly ticket: Buffer } | undefined {
  // Without a link something is compared all the same, so that the time taken does not tell which links there are.
  const hosts = grants.map(({ host, ticketOf }) => ({ host, ticket: ticketOf(role) }));
  const tickets = hosts.length > 0 ? hosts.map(({ ticket }) => ticket) : [randomBytes(32), randomBytes(32)];
  const matches = tickets.map(verify);
  return hosts[matches.indexOf(true)];
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
