import { createHash, randomBytes } from "node:crypto";
import { Backoff, pause } from "../../../../lib/backoff.js";
import { messageOf } from "../../../../lib/errors.js";
import type { Log } from "../../../../lib/log.js";
import { quote } from "../../../../lib/names.js";
import {
  applySpec,
  type Encryption,
  type EndRecord,
  type EndSpec,
  freshTickets,
  withUsedTicket,
} from "../end-record.js";
import type { EndView } from "../engine-protocol.js";
import type { CableIdentity } from "../cable-identity.js";
import { dial, type ReadyConnection } from "./dial.js";
import { endView, reasonOf } from "./end-view.js";
import { CableFailure } from "./failure.js";
import type { Credential, ListenerEnd } from "./hello.js";
import { close } from "./native.js";
import { type EndEvent, type EndState, initialState, nextState } from "./link-state.js";
import { readFigures } from "./stats.js";
import { makeTap, type SwitchTap } from "./switch-tap.js";
import type { TapOffload } from "./tap.js";
import type { CableSlot, WorkerPool } from "./worker-pool.js";
import type { CloseCause, WorkerEvent } from "./worker-protocol.js";

const redial = { minMs: 200, maxMs: 10_000 } as const;

const notPlugged = "its tap is not yet plugged into its lan";

/** What an end needs of the engine. */
export interface EndContext {
  readonly identity: CableIdentity;
  readonly netns: string | undefined;
  readonly workers: WorkerPool;
  /** The host's policy lets links go without encryption. */
  readonly allowPlainLinks: boolean;
  readonly log: Log;
  /** Makes the end's record durable. */
  readonly save: () => Promise<void>;
  /** The end's view changed. */
  readonly changed: () => void;
}

/** One end of a link: its tap, its connection and, for a dialer, the loop that connects again for ever. */
export class End implements ListenerEnd {
  readonly #context: EndContext;
  #record: EndRecord;
  #state: EndState;
  #tap: SwitchTap | undefined;
  #tapGeneration = "";
  #slot: CableSlot | undefined;
  #connection: ReadyConnection | undefined;
  /** Number of the connection that the worker has; events of others are stale. */
  #connectionNumber = 0;
  #connects = 0;
  #proven = false;
  #plugged = false;
  #refusedForTicket = false;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #removing: Promise<void> | undefined;
  #wakeUp = Promise.withResolvers<void>();
  #woken = false;
  #closed = Promise.withResolvers<CloseCause>();

  constructor(record: EndRecord, context: EndContext) {
    this.#record = record;
    this.#context = context;
    this.#state = initialState(record.role, Date.now());
    this.#running = this.#run();
  }

  get record(): EndRecord {
    return this.#record;
  }

  get peerKeySha256(): Buffer {
    return Buffer.from(this.#record.peerKeySha256, "hex");
  }

  get offload(): TapOffload {
    return this.#tap?.offload ?? "none";
  }

  /** A listener end can take a connection only while its tap is there. */
  get accepts(): boolean {
    return this.#record.role === "listener" && this.#slot !== undefined && this.#allowed;
  }

  get encryption(): Encryption {
    return this.#record.encryption ?? "tls";
  }

  get accepted(): readonly Credential[] {
    const { pairing, offered } = this.#record;
    return [
      ...[pairing, offered]
        .filter((secret) => secret !== undefined)
        .map((secret) => ({ by: "pairing" as const, secret: Buffer.from(secret, "hex") })),
      ...freshTickets(this.#record, Date.now()).map((secret) => ({ by: "ticket" as const, secret })),
    ];
  }

  get spent(): readonly { readonly secret: Buffer; readonly why: "used" | "expired" }[] {
    const nowMs = Date.now();
    return this.#record.tickets
      .filter((ticket) => ticket.used || ticket.expiresMs <= nowMs)
      .map((ticket) => ({ secret: Buffer.from(ticket.secret, "hex"), why: ticket.used ? "used" : "expired" }));
  }

  /** Changes the end to what is asked; the connection stays unless the peer or the role is another. The caller saves. */
  apply(spec: EndSpec): void {
    const previous = this.#record;
    this.#record = applySpec(spec, previous, Date.now());
    if (spec.ticket !== undefined) this.#refusedForTicket = false;
    const samePeer =
      previous.peerKeySha256 === spec.peerKeySha256 &&
      previous.role === spec.role &&
      (previous.encryption ?? "tls") === this.encryption;
    if (!samePeer) this.#slot?.detach("the link was set up anew");
    if (!samePeer || spec.ticket !== undefined || previous.peerAddresses.join() !== spec.peerAddresses.join())
      this.#wake();
    if (previous.lan !== spec.lan) {
      this.#plugged = false;
      this.#apply({ type: "fault", source: "port", text: notPlugged });
    }
    this.#context.changed();
  }

  /** Takes a change back that could not be stored. */
  restore(record: EndRecord): void {
    this.#record = record;
    this.#wake();
    this.#context.changed();
  }

  async offerPairing(secret: Buffer): Promise<void> {
    this.#record = { ...this.#record, offered: secret.toString("hex") };
    await this.#context.save();
  }

  async confirmPairing(credential: Credential): Promise<void> {
    const { offered, ...record } = this.#record;
    if (offered === undefined) return;
    // A dialer that comes back with what was offered has it, even if its confirm was lost.
    const holds = credential.by === "ticket" || credential.secret.equals(Buffer.from(offered, "hex"));
    const used = credential.by === "ticket" ? withUsedTicket(record, credential.secret) : record;
    this.#record = holds ? { ...used, pairing: offered } : used;
    await this.#context.save();
  }

  /** Takes a connection whose handshake is done; an earlier one is closed. */
  attach(connection: ReadyConnection): void {
    const slot = this.#slot;
    if (slot === undefined) {
      close(connection.established.fd);
      throw new CableFailure("lost", "the tap went away during the handshake");
    }
    this.#connection = connection;
    this.#proven = false;
    this.#connectionNumber += 1;
    this.#connects += 1;
    this.#closed = Promise.withResolvers<CloseCause>();
    this.#refusedForTicket = false;
    this.#apply({ type: "connected" });
    slot.attach(this.#connectionNumber, connection.established);
    if (this.#state.faults.port !== "") slot.notice(this.#state.faults.port);
  }

  /** A connection attempt of the peer was refused. */
  refused(failure: CableFailure): void {
    this.#refusedForTicket ||= failure.needsTicket;
    if (this.#connection === undefined) this.#apply({ type: "failed", reason: failure.message, nextTryMs: undefined });
    this.#context.changed();
  }

  /** The agent tells whether the tap is plugged into its lan. Ignored when it is about an earlier tap. */
  setPort(generation: string, fault: string): void {
    if (generation !== this.#tapGeneration) return;
    this.#plugged = fault === "";
    this.#apply({ type: "fault", source: "port", text: fault });
    if (this.#connection !== undefined) this.#slot?.notice(fault);
  }

  /** Reads the worker's figures and derives faults of quality from them. Call once a second. */
  refresh(): void {
    if (this.#connection === undefined || this.#slot === undefined) return;
    const { lossRatio, silentMs } = readFigures(this.#slot.stats);
    const quality =
      silentMs > 2_500
        ? `nothing was heard from the peer for ${Math.round(silentMs / 1000)} s`
        : lossRatio > 0.1
          ? `${Math.round(lossRatio * 100)} % of the probes come back late or not at all`
          : "";
    this.#apply({ type: "fault", source: "quality", text: quality });
  }

  view(): EndView {
    return endView({
      record: this.#record,
      state: this.#state,
      connection: this.#connection,
      figures: readFigures(this.#slot?.stats),
      connects: this.#connects,
      needsTicket: this.#needsTicket(),
      tap: {
        name: this.#tapName,
        ready: this.#slot !== undefined,
        generation: this.#tapGeneration,
        plugged: this.#plugged,
      },
    });
  }

  /** Ends it: tells the peer why, closes the connection and removes the tap. */
  async close(goodbye: string): Promise<void> {
    this.#ended.abort();
    this.#wake();
    const slot = this.#slot;
    this.#slot = undefined;
    this.#closed.resolve({ kind: "local", text: goodbye });
    await slot?.remove(goodbye);
    await this.#running;
    await this.#removing;
  }

  get #tapName(): string {
    const { keySha256 } = this.#context.identity;
    const hash = createHash("sha256").update(keySha256).update(this.#record.linkUid, "utf8").digest("hex");
    return `zc${hash.slice(0, 12)}`;
  }

  get #allowed(): boolean {
    return this.encryption === "tls" || this.#context.allowPlainLinks;
  }

  #needsTicket(): boolean {
    const { pairing, offered } = this.#record;
    if (this.#connection !== undefined) return false;
    const fresh = freshTickets(this.#record, Date.now()).length > 0;
    return this.#refusedForTicket || (pairing === undefined && offered === undefined && !fresh);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    const backoff = new Backoff(redial);
    while (!signal.aborted) {
      try {
        if (this.#slot === undefined) await this.#open();
        if (!this.#allowed) throw new CableFailure("policy", "this host's policy allows encrypted links only");
        if (this.#record.role === "dialer") await this.#dialOnce(backoff, signal);
        else await this.#sleep(undefined);
      } catch (error) {
        const waitMs = backoff.nextMs();
        if (!signal.aborted) this.#failed(error, Date.now() + waitMs);
        await this.#sleep(waitMs);
      }
    }
  }

  /** Makes the tap and gives it to a worker. */
  async #open(): Promise<void> {
    const tap = await makeTap({ name: this.#tapName, netns: this.#context.netns, signal: this.#ended.signal });
    if (this.#ended.signal.aborted) return tap.discard();
    this.#tap = tap;
    this.#tapGeneration = randomBytes(8).toString("hex");
    this.#plugged = false;
    this.#apply({ type: "fault", source: "port", text: notPlugged });
    this.#slot = this.#context.workers.add(tap, (event) => this.#onWorkerEvent(event));
    this.#context.changed();
  }

  /** Connects and stays until the connection ends; every way out but a working connection throws. */
  async #dialOnce(backoff: Backoff, signal: AbortSignal): Promise<void> {
    this.attach(await this.#dialAll(signal));
    const cause = await this.#closed.promise;
    if (cause.kind === "local") return;
    if (this.#proven) backoff.reset();
    throw new CableFailure(cause.kind === "peer" ? "peer" : "lost", reasonOf(cause));
  }

  async #dialAll(signal: AbortSignal): Promise<ReadyConnection> {
    const credentials = this.#credentials();
    const { peerAddresses, linkUid } = this.#record;
    let failure = new CableFailure("unreachable", "no address of the other host is known");
    if (credentials.length === 0) throw new CableFailure("unpaired", "no valid ticket; the hub must give a new one");
    for (const address of peerAddresses) {
      for (const credential of credentials) {
        try {
          return await dial({
            address,
            identity: this.#context.identity,
            peerKeySha256: this.peerKeySha256,
            linkUid,
            credential,
            offload: this.offload,
            encryption: this.encryption,
            storePairing: (secret) => this.#storePairing(credential, secret),
            signal,
          });
        } catch (error) {
          if (!(error instanceof CableFailure)) throw error;
          failure = error;
          if (!error.needsTicket) break;
        }
      }
    }
    throw failure;
  }

  /** What to show to the listener: what was agreed on, else the newest tickets. */
  #credentials(): Credential[] {
    const { pairing } = this.#record;
    return [
      ...(pairing === undefined ? [] : [{ by: "pairing" as const, secret: Buffer.from(pairing, "hex") }]),
      ...freshTickets(this.#record, Date.now()).map((secret) => ({ by: "ticket" as const, secret })),
    ];
  }

  async #storePairing(credential: Credential, secret: Buffer): Promise<void> {
    this.#record = { ...withUsedTicket(this.#record, credential.secret), pairing: secret.toString("hex") };
    await this.#context.save();
  }

  #onWorkerEvent(event: WorkerEvent): void {
    if (event.type === "tapLost") this.#onTapLost();
    if (event.type === "tapLost" || event.type === "released") return;
    if (event.connection !== this.#connectionNumber) return;
    switch (event.type) {
      case "proven":
        this.#proven = true;
        this.#apply({ type: "proven" });
        return;
      case "notice":
        this.#apply({ type: "fault", source: "peer", text: event.text === "" ? "" : `peer says ${quote(event.text)}` });
        return;
      case "closed":
        this.#onClosed(event.cause);
    }
  }

  #onClosed(cause: CloseCause): void {
    this.#connection = undefined;
    this.#apply({ type: "failed", reason: reasonOf(cause), nextTryMs: undefined });
    this.#closed.resolve(cause);
  }

  /** Somebody deleted the tap or its namespace: makes another. */
  #onTapLost(): void {
    this.#context.log.warn({ link: this.#record.link, tap: this.#tapName }, "the tap was deleted; making it anew");
    if (this.#slot !== undefined) this.#removing = this.#slot.remove("the tap was deleted");
    this.#slot = undefined;
    this.#connection = undefined;
    this.#apply({ type: "failed", reason: "the cable's tap was deleted", nextTryMs: undefined });
    this.#closed.resolve({ kind: "reset", text: "the cable's tap was deleted" });
    this.#wake();
  }

  #failed(error: unknown, nextTryMs: number): void {
    const { log } = this.#context;
    const { link, role } = this.#record;
    if (error instanceof CableFailure) {
      this.#refusedForTicket ||= error.needsTicket;
      // A peer may be away for days.
      if (error.message !== this.#state.reason) {
        log.info({ link, kind: error.kind, reason: error.message }, "the cable is down");
      }
    } else log.error({ link, error: messageOf(error) }, "the cable's end cannot be set up");
    this.#apply({
      type: "failed",
      reason: messageOf(error),
      nextTryMs: role === "dialer" || this.#slot === undefined ? nextTryMs : undefined,
    });
  }

  #apply(event: EndEvent): void {
    const before = this.#state;
    this.#state = nextState(before, event, Date.now());
    if (this.#state === before) return;
    const { phase, reason } = this.#state;
    if (phase !== before.phase) this.#context.log.info({ link: this.#record.link, phase, reason }, "link end changed");
    this.#context.changed();
  }

  /** Waits for the time, for ever without one, or until {@link #wake}, even if that was before. */
  async #sleep(ms: number | undefined): Promise<void> {
    const timer = new AbortController();
    if (!this.#woken) {
      await Promise.race([this.#wakeUp.promise, ...(ms === undefined ? [] : [pause(ms, timer.signal)])]);
    }
    timer.abort();
    this.#woken = false;
    this.#wakeUp = Promise.withResolvers<void>();
  }

  #wake(): void {
    this.#woken = true;
    this.#wakeUp.resolve();
  }
}
