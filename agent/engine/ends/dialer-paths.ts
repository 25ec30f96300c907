import { Backoff, pause } from "../../../lib/backoff.js";
import { AttemptLoop } from "./attempt-loop.js";
import { dial, greet, openRelay } from "../handshake/dial.js";
import { CableFailure, type FailureKind } from "../handshake/failure.js";
import { attachIfWanted, failureOf, joinLoops, needsRelay, type PathOwner, type Paths } from "./paths.js";
import { relayWaitMs } from "./relay-wait.js";

/** Between direct attempts while there is no connection, and while the relay carries one. */
const redial = { minMs: 200, maxMs: 10_000 } as const;
const upgrade = { minMs: 2_000, maxMs: 60_000 } as const;
/** How long the direct way is tried before the relay is asked as well. */
const headStartMs = 1_000;

/** A peer that fails in one of these ways was reached, and it was the right one. */
const reachedKinds: ReadonlySet<FailureKind> = new Set<FailureKind>([
  "ticket",
  "unpaired",
  "version",
  "unknown-link",
  "policy",
  "peer",
]);

/**
 * Connects a dialer: directly, and through the relay while that does not work. A relayed connection is replaced as soon as a direct
 * one carries frames.
 */
export function dialerPaths(owner: PathOwner): Paths {
  const direct = new DirectDialer(owner);
  const relay = new RelayDialer(owner, direct);
  return joinLoops([direct.loop, relay.loop]);
}

class DirectDialer {
  readonly loop: AttemptLoop;
  readonly #owner: PathOwner;
  readonly #redial = new Backoff(redial);
  readonly #upgrade = new Backoff(upgrade);
  #failed = Promise.withResolvers<void>();

  constructor(owner: PathOwner) {
    this.#owner = owner;
    this.loop = new AttemptLoop({ wanted: () => this.#wanted(), attempt: (signal) => this.#attempt(signal) });
  }

  /** Resolves once an attempt under way has failed, or at once when none can be made. */
  async failedOnce(): Promise<void> {
    if (this.#owner.record.spec.peerAddresses.length > 0) await this.#failed.promise;
  }

  #wanted(): boolean {
    const { inUse, record, ready } = this.#owner;
    if (!ready) return false;
    // Without any address there is nothing to try, but something to say.
    if (record.spec.peerAddresses.length === 0) return false;
    // A second direct connection is no better than the first unless that is as good as dead.
    return inUse === undefined || inUse.path === "relayed" || inUse.quiet === "silent";
  }

  async #attempt(signal: AbortSignal): Promise<number> {
    const owner = this.#owner;
    await pause(owner.calmMs, signal);
    const failure = await failureOf(() => this.#dialAll(signal));
    if (failure === undefined) {
      this.#redial.reset();
      this.#upgrade.reset();
      this.#failed = Promise.withResolvers<void>();
      return 0;
    }
    if (signal.aborted) return 0;
    owner.tellDirect(reachedKinds.has(failure.kind), failure.message);
    const waitMs = (owner.inUse === undefined ? this.#redial : this.#upgrade).nextMs();
    owner.failed("direct", failure, Date.now() + waitMs);
    this.#failed.resolve();
    return waitMs;
  }

  async #dialAll(signal: AbortSignal): Promise<CableFailure | undefined> {
    const owner = this.#owner;
    const { credentials } = owner;
    let failure = new CableFailure("unpaired", "no valid ticket; the hub must give a new one");
    if (credentials.length === 0) return failure;
    for (const address of owner.record.spec.peerAddresses) {
      for (const credential of credentials) {
        const outcome = await failureOf(async () => {
          const connection = await dial({ ...owner.handshake(credential, signal), address });
          owner.tellDirect(true, "");
          return attachIfWanted(owner, connection, signal);
        });
        if (outcome === undefined) return undefined;
        failure = outcome;
        if (!outcome.needsTicket) break;
      }
    }
    return failure;
  }
}

class RelayDialer {
  readonly loop: AttemptLoop;
  readonly #owner: PathOwner;
  readonly #direct: DirectDialer;
  readonly #backoff = new Backoff(redial);

  constructor(owner: PathOwner, direct: DirectDialer) {
    this.#owner = owner;
    this.#direct = direct;
    this.loop = new AttemptLoop({ wanted: () => needsRelay(owner), attempt: (signal) => this.#attempt(signal) });
  }

  async #attempt(signal: AbortSignal): Promise<number> {
    const owner = this.#owner;
    await pause(owner.calmMs, signal);
    // A silent connection has had time enough.
    if (owner.inUse === undefined) await this.#giveHeadStart(signal);
    if (signal.aborted) return 0;
    const failure = await failureOf(() => this.#dial(signal));
    if (signal.aborted) return 0;
    if (failure === undefined) {
      this.#backoff.reset();
      return 0;
    }
    const waitMs = relayWaitMs(failure, this.#backoff);
    owner.failed("relayed", failure, Date.now() + waitMs);
    return waitMs;
  }

  async #giveHeadStart(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    await Promise.race([this.#direct.failedOnce(), pause(headStartMs, AbortSignal.any([signal, over.signal]))]);
    over.abort();
  }

  async #dial(signal: AbortSignal): Promise<CableFailure | undefined> {
    const owner = this.#owner;
    let failure = new CableFailure("unpaired", "no valid ticket; the hub must give a new one");
    for (const credential of owner.credentials) {
      const { linkUid, relayAddresses: addresses, relayTicket: ticket } = owner.record.spec;
      const place = { addresses, linkUid, role: "dialer" as const, ticket, signal };
      const outcome = await failureOf(async () => {
        const socket = await openRelay(place);
        const connection = await greet(socket, "relayed", owner.handshake(credential, signal));
        return attachIfWanted(owner, connection, signal);
      });
      if (outcome === undefined) return undefined;
      failure = outcome;
      if (!outcome.needsTicket) break;
    }
    return failure;
  }
}
