import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../lib/errors.js";
import type { Identity } from "../../lib/tls/identity.js";
import type { Copies, MetAgent } from "./copies.js";
import { type DialOptions, dial, type Greeted, isThere, refuseAgent, type Way } from "./dial.js";
import { DialGate } from "./dial-gate.js";
import type { ParkedSockets } from "./parked-sockets.js";
import type { SshWays } from "./ssh-ways.js";
import { splice } from "./splice.js";
import type { RevokedSerials } from "./tell-revocations.js";

/** What a dialler works with. */
export interface DiallerOptions {
  /** Name of this hub. */
  readonly hub: string;
  readonly identity: () => Identity;
  readonly isRevoked: (serial: string) => boolean;
  readonly revocations: RevokedSerials;
  readonly parked: ParkedSockets;
  /** Directory for the sockets through which agents that dial in are used; the hub's own, mode 0700. */
  readonly socketDirectory: string;
  readonly copies: Copies;
  readonly ssh: SshWays;
}

/** One round of connecting to a host's agent. */
export interface ConnectRound {
  /** Id of the host. */
  readonly id: string;
  /** Where it is dialled, in this order; empty: it dials the hub. */
  readonly addresses: readonly string[];
  /** The ssh server that they are seen from; "": the hub. */
  readonly via: string;
  readonly signal: AbortSignal;
  /** Told of every address that fails. */
  readonly onFailure: (error: unknown) => void;
}

/** An address of a host, and the ssh server that it is seen from, or "". */
interface Place {
  readonly address: string;
  readonly via: string;
}

interface MetAt extends MetAgent {
  readonly place: Place;
}

/** An agent that is refused comes again every few seconds. */
const refusalHoldsMs = 60_000;
/** How long a round of connecting waits for an agent that dials the hub. */
const dialInTimeoutMs = 8000;

/** Connects to agents and greets them, whichever side dials. */
export class Dialler {
  readonly #options: DiallerOptions;
  readonly #gate = new DialGate();
  /** By host: the agent that was greeted last at one of its addresses. */
  readonly #met = new Map<string, MetAt>();
  /** Hosts whose connections were refused lately. */
  readonly #refusals = new Map<string, { readonly why: string; readonly atMs: number }>();

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  /** A host that dials the hub was refused, and why. */
  noteRefusal(id: string, why: string): void {
    this.#refusals.set(id, { why, atMs: Date.now() });
  }

  /** A host is no longer registered. */
  forget(id: string): void {
    this.#met.delete(id);
    this.#refusals.delete(id);
  }

  /** @throws why the last address failed, or {ZorError} UNAVAILABLE while an agent that dials the hub has no connection open. */
  async connect({ id, addresses, via, signal, onFailure }: ConnectRound): Promise<Greeted> {
    const { hub, isRevoked, revocations } = this.#options;
    const { revokedSerials } = revocations;
    const identity = this.#options.identity();
    const options: DialOptions = { host: id, identity, hub, isRevoked, revokedSerials, signal, gate: this.#gate };
    if (addresses.length === 0) return this.#connectDialled(id, options);
    let last: unknown;
    for (const address of addresses) {
      if (signal.aborted) break;
      try {
        return await this.#dialOne(id, { address, via }, options);
      } catch (error) {
        last = error;
        if (!signal.aborted) onFailure(error);
      }
    }
    throw last ?? new Error("stopped");
  }

  /** Dials an agent and makes sure that it has not taken the place of another that lives. */
  async #dialOne(id: string, place: Place, options: DialOptions): Promise<Greeted> {
    const greeted = await this.#through(id, place, (way) => dial(way, options));
    const newcomer = { boot: greeted.hello.epoch, address: greeted.peer, place };
    const before = this.#met.get(id);
    // At one address there is one agent: what was there before has ended.
    const isOther = before !== undefined && before.boot !== newcomer.boot && before.address !== newcomer.address;
    if (isOther && (await this.#isThere(id, before, options))) {
      const why = this.#options.copies.refused(id, before, newcomer);
      await refuseAgent(greeted, why, options);
      throw new ZorError({ reason: "HOST_COPIED", code: status.FAILED_PRECONDITION, message: why });
    }
    if (!options.signal.aborted) this.#met.set(id, newcomer);
    return greeted;
  }

  /** Whether an agent that was met is still where it was. */
  #isThere(id: string, { boot, address, place }: MetAt, options: DialOptions): Promise<boolean> {
    // Straight, it was at one of the addresses that a name means.
    if (place.via === "") return isThere(boot, { address }, options);
    return this.#through(id, place, (way) => isThere(boot, way, options)).catch(() => false);
  }

  async #through<T>(id: string, { address, via }: Place, use: (way: Way) => Promise<T>): Promise<T> {
    if (via === "") return use({ address });
    const { dialled, ...way } = await this.#options.ssh.open(id, via, address);
    try {
      return await use(way);
    } finally {
      dialled();
    }
  }

  async #connectDialled(id: string, options: DialOptions): Promise<Greeted> {
    const { parked, socketDirectory } = this.#options;
    const { socket, peer } = await parked.take(id, dialInTimeoutMs, options.signal).catch((error: unknown) => {
      const refusal = this.#refusals.get(id);
      const isRecent = refusal !== undefined && Date.now() - refusal.atMs < refusalHoldsMs;
      throw isRecent ? unavailable("CERTIFICATE_DATES", `hosts/${id}`, refusal.why, error) : error;
    });
    this.#refusals.delete(id);
    const spliced = await splice(socket, socketDirectory);
    try {
      const greeted = await dial({ address: spliced.address }, options);
      parked.keepOnly(id, greeted.hello.epoch);
      return {
        ...greeted,
        peer,
        close: () => {
          greeted.close();
          spliced.close();
        },
      };
    } catch (error) {
      spliced.close();
      throw error;
    }
  }
}
