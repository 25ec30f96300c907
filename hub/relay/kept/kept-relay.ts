import { status } from "@grpc/grpc-js";
import { Backoff, pause } from "../../../lib/backoff.js";
import { ZorError } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { ListenNews } from "../../../lib/standing-listener.js";
import { splitAddress } from "../../kit/split-address.js";
import type { RelayedState } from "../relay-link.js";
import { relayBuild } from "./build.js";
import { type GrantWords, keptRelayProtocol, type LinkGrants, type RelayHello, type RelayMessage } from "./messages.js";
import { RelayConnection } from "./relay-connection.js";
import { endRelays, relayLogFile, startRelay } from "./relay-process.js";

/** What a relay that outlives the hub works with. */
export interface KeptRelayOptions {
  /** Its own, below the hub's state. */
  readonly directory: string;
  /** Addresses at which hosts come; port 0 picks one. */
  readonly addresses: readonly string[];
  /** Whom it lets in, for all links. */
  readonly grants: () => LinkGrants;
  readonly grantsOf: (linkUid: string) => readonly GrantWords[];
  readonly onBytes: (linkUid: string, bytes: number) => void;
  readonly news: ListenNews;
  /** A relay ended although it was not to; the one after it serves after so many ms. */
  readonly onGap: (gapMs: number) => void;
  readonly log: Log;
}

const startMs = 20_000;
const pollMs = 20;
const aliveMs = 5_000;
/** A relay that has left so many questions unanswered will not answer any more. */
const maxUnanswered = 6;
const levels = { 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "error" } as const;

/** The hub's side of its relay, a process that outlives the hub. One that runs is taken up as it is; one that ends is started again. */
export class KeptRelay {
  readonly #options: KeptRelayOptions;
  readonly #closing = new AbortController();
  readonly #states = new Map<string, RelayedState>();
  #connection: RelayConnection | undefined;
  #listening: PromiseWithResolvers<void> | undefined;
  #bound: readonly string[] = [];
  #missing: readonly string[] = [];
  #unanswered = 0;
  /** It is of another installation of the program, and carries something. */
  #isOld = false;
  #asking: NodeJS.Timeout | undefined;
  #again: Promise<void> = Promise.resolve();

  private constructor(options: KeptRelayOptions) {
    this.#options = options;
  }

  /** Takes up the relay that there is, or starts one. @throws {ZorError} UNAVAILABLE when an address cannot be bound. */
  static async start(options: KeptRelayOptions): Promise<KeptRelay> {
    const relay = new KeptRelay(options);
    try {
      await relay.#connect();
      relay.#asking = setInterval(() => relay.#ask(), aliveMs).unref();
      return relay;
    } catch (error) {
      await relay.close();
      throw error;
    }
  }

  /** Addresses with their real ports; those that are not there, as they were given. */
  get addresses(): readonly string[] {
    return this.#bound;
  }

  get missing(): readonly string[] {
    return this.#missing;
  }

  stateOf(linkUid: string): RelayedState {
    return this.#states.get(linkUid) ?? { waiting: [], paired: false };
  }

  /** Tells whom the relay lets in from now on, for links for which that has changed. */
  tell(links: LinkGrants): void {
    this.#connection?.send({ type: "links", links, isAll: false });
  }

  /** Lets go of it: it goes on with what it carries. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#asking);
    this.#connection?.send({ type: "leave" });
    await this.#connection?.close();
    await this.#again;
  }

  async #connect(): Promise<void> {
    const { directory, addresses, grants, log } = this.#options;
    const build = await relayBuild();
    let connection = await RelayConnection.open(directory);
    if (connection !== undefined && mustGo(connection.hello, build)) {
      log.info(connection.hello, "the relay of another version is replaced");
      connection.destroy();
      connection = undefined;
    }
    connection ??= await this.#start();
    this.#isOld = connection.hello.build !== build;
    if (this.#isOld)
      log.info(connection.hello, "the relay is one of another version, and goes on while it carries links");
    this.#connection = connection;
    this.#unanswered = 0;
    const { pid } = connection.hello;
    const listening = Promise.withResolvers<void>();
    this.#listening = listening;
    connection.use({
      onMessage: (message) => this.#take(message),
      onClose: () => {
        listening.reject(this.#fault());
        if (this.#connection !== connection) return;
        this.#connection = undefined;
        this.#states.clear();
        if (!this.#closing.signal.aborted) this.#again = this.#comeBack(pid);
      },
    });
    // What the hub has decided while it was not connected counts before anybody comes.
    connection.send({ type: "links", links: grants(), isAll: true });
    const again = addresses.map((address, at) => {
      const isAny = splitAddress(address).port === 0;
      return isAny ? (this.#bound[at] ?? address) : address;
    });
    connection.send({ type: "listen", addresses: again });
    try {
      await listening.promise;
    } catch (error) {
      if (this.#connection === connection) this.#connection = undefined;
      connection.send({ type: "leave" });
      await connection.close();
      throw error;
    }
  }

  async #start(): Promise<RelayConnection> {
    const { directory } = this.#options;
    const { signal } = this.#closing;
    // One that cannot be reached keeps ports to itself.
    await endRelays(directory);
    const runs = await startRelay(directory);
    for (const deadline = performance.now() + startMs; performance.now() < deadline && runs() && !signal.aborted; ) {
      const connection = await RelayConnection.open(directory);
      if (connection !== undefined) return connection;
      await pause(pollMs, signal);
    }
    throw this.#fault();
  }

  /** @param pid of the relay that was lost. */
  async #comeBack(pid: number): Promise<void> {
    const { log, onGap } = this.#options;
    const { signal } = this.#closing;
    const lostMs = performance.now();
    const wasOld = this.#isOld;
    const backoff = new Backoff({ minMs: 100, maxMs: 10_000 });
    while (!signal.aborted) {
      try {
        await this.#connect();
        if (this.#connection?.hello.pid !== pid && !wasOld) onGap(performance.now() - lostMs);
        return;
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, "no links can be relayed; the relay is tried again");
      }
      await backoff.wait(signal);
    }
  }

  #take(message: RelayMessage): void {
    const { news, log, onBytes } = this.#options;
    this.#unanswered = 0;
    switch (message.type) {
      case "listening":
        this.#bound = message.addresses;
        this.#missing = message.missing;
        this.#listening?.resolve();
        return;
      case "cannot-listen":
        this.#listening?.reject(cannotListen(message.message));
        return;
      case "missing":
        news.onMissing(message.address, message.why);
        return;
      case "taken":
        this.#bound = message.addresses;
        this.#missing = this.#missing.filter((address) => address !== message.address);
        news.onTaken(message.address);
        return;
      case "states":
        this.#takeStates(message.links);
        return;
      case "bytes":
        for (const [uid, bytes] of Object.entries(message.links)) onBytes(uid, bytes);
        return;
      case "ask": {
        const { ask: answers, link } = message;
        const grants = this.#options.grantsOf(link);
        const links = { [link]: grants.length === 0 ? null : grants };
        this.#connection?.send({ type: "links", links, isAll: false, answers });
        return;
      }
      case "log":
        log[levels[message.level as keyof typeof levels] ?? "info"](message.facts, message.message);
        return;
      case "hello":
      case "alive":
        return;
      default:
        log.debug({ message: JSON.stringify(message satisfies never) }, "not a message of the relay");
    }
  }

  #takeStates(links: Readonly<Record<string, RelayedState>>): void {
    for (const [uid, state] of Object.entries(links)) {
      if (state.waiting.length > 0 || state.paired) this.#states.set(uid, state);
      else this.#states.delete(uid);
    }
    const carries = [...this.#states.values()].some(({ paired }) => paired);
    if (this.#isOld && !carries) this.#connection?.send({ type: "end" });
  }

  #ask(): void {
    if (this.#connection === undefined) return;
    this.#unanswered += 1;
    if (this.#unanswered <= maxUnanswered) {
      this.#connection.send({ type: "live?" });
      return;
    }
    this.#options.log.error("the relay does not answer; it is started again");
    this.#unanswered = 0;
    const connection = this.#connection;
    void endRelays(this.#options.directory).finally(() => connection.destroy());
  }

  #fault(): ZorError {
    return cannotListen(`the hub's relay does not start; see ${relayLogFile(this.#options.directory)}`);
  }
}

/** Nothing is lost with it, or it cannot be told what it is to do. */
function mustGo(hello: RelayHello, build: string): boolean {
  return hello.protocol !== keptRelayProtocol || (hello.build !== build && hello.pairs === 0);
}

function cannotListen(message: string): ZorError {
  return new ZorError({ reason: "CANNOT_LISTEN", code: status.UNAVAILABLE, message });
}
