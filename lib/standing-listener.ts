import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, isIP } from "node:net";
import { pause } from "./backoff.js";
import { messageOf } from "./errors.js";
import { formatHostPort, parseHostPort } from "./socket-address.js";

/** Whom a listener tells of addresses that are not there. */
export interface ListenNews {
  /** Told once of an address that this machine does not have now, and why. It is tried again until it is there. */
  readonly onMissing: (address: string, why: string) => void;
  /** Told when such an address came and is served. */
  readonly onTaken: (address: string) => void;
}

/** Tells nobody. */
export const silentNews: ListenNews = { onMissing: () => undefined, onTaken: () => undefined };

/** What a listener on several addresses does with each. */
export interface StandingOptions extends ListenNews {
  /** Listens at an "ip:port" and resolves to the port. @throws what is no matter of the address not being there. */
  readonly bind: (address: string) => Promise<number>;
  /** How often a missing address is tried, in ms; default 1000. */
  readonly retryMs?: number;
}

interface Place {
  /** As it was configured. */
  readonly address: string;
  /** Where it is served; undefined while it is missing. */
  bound: string | undefined;
}

/**
 * Listens at every address that this machine has, and at the others as soon as it has them: a network that comes late, a VPN, a bridge that is
 * not made yet. An address may be a name; it is resolved at each attempt.
 */
export class StandingListener implements AsyncDisposable {
  readonly #options: StandingOptions;
  readonly #ended = new AbortController();
  readonly #places: readonly Place[];
  #waiting: Promise<void> = Promise.resolve();

  private constructor(addresses: readonly string[], options: StandingOptions) {
    this.#options = options;
    this.#places = addresses.map((address) => ({ address, bound: undefined }));
  }

  /** @throws what `bind` throws: another program has the port, or it may not be used. What was bound before stays with the caller. */
  static async open(addresses: readonly string[], options: StandingOptions): Promise<StandingListener> {
    const listener = new StandingListener(addresses, options);
    for (const place of listener.#places) {
      const why = await listener.#try(place);
      if (why !== undefined) options.onMissing(place.address, why);
    }
    if (listener.missing.length > 0) listener.#waiting = listener.#takeMissing();
    return listener;
  }

  /** Every address: where it is served, with its real port, or as it was configured while it is missing. */
  get addresses(): readonly string[] {
    return this.#places.map(({ address, bound }) => bound ?? address);
  }

  /** Addresses that are not there. */
  get missing(): readonly string[] {
    return this.#absent.map(({ address }) => address);
  }

  /** Waits for no more addresses; what listens is the caller's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#waiting;
  }

  get #absent(): readonly Place[] {
    return this.#places.filter(({ bound }) => bound === undefined);
  }

  async #takeMissing(): Promise<void> {
    const { signal } = this.#ended;
    while (this.#absent.length > 0 && !signal.aborted) {
      await pause(this.#options.retryMs ?? 1000, signal);
      for (const place of this.#absent) {
        if (signal.aborted) return;
        // Another program may have its port by then: it is tried again like one that is not there.
        const why = await this.#try(place).catch(messageOf);
        if (why === undefined) this.#options.onTaken(place.address);
      }
    }
  }

  /** Serves at an address; resolves to why that cannot be now. */
  async #try(place: Place): Promise<string | undefined> {
    const wanted = parseHostPort(place.address);
    if (wanted === undefined) return "it is no address";
    let ip = wanted.host;
    if (isIP(ip) === 0) {
      const found = await lookup(ip).catch((error: unknown) => messageOf(error));
      if (typeof found === "string") return `its name cannot be resolved (${found})`;
      ip = found.address;
    }
    if (!(await isOfThisMachine(ip))) return `${ip} is not an address of this machine now`;
    const port = await this.#options.bind(formatHostPort({ host: ip, port: wanted.port }));
    place.bound = formatHostPort({ host: ip, port });
    return undefined;
  }
}

/** Whether a program may listen at an IP here: tried with a port that nobody uses, since libraries do not let a failed attempt be repeated. */
async function isOfThisMachine(ip: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host: ip, port: 0 });
    await once(server, "listening");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRNOTAVAIL") return false;
    throw error;
  } finally {
    if (server.listening) {
      server.close();
      await once(server, "close");
    }
  }
}
