import { createHash } from "node:crypto";
import { close } from "../../../lib/libc.js";
import { quote } from "../../../lib/names.js";
import type { CableIdentity } from "../protocol/cable-identity.js";
import {
  applySpec,
  type Encryption,
  type EndRecord,
  type EndSpec,
  withOffer,
  withUsedTicket,
} from "../protocol/end-record.js";
import type { EndDiagnosis, EndView } from "../protocol/engine-protocol.js";
import { Connections } from "./connections.js";
import { diagnose } from "./diagnose.js";
import type { HandshakeOptions, ReadyConnection } from "../handshake/dial.js";
import { dialerPaths } from "./dialer-paths.js";
import type { EndContext } from "./end-context.js";
import { credentialsOf, type SpentTicket, spentOf, withConfirmed } from "./end-secrets.js";
import { EndTap } from "./end-tap.js";
import { endView } from "./end-view.js";
import { CableFailure } from "../handshake/failure.js";
import { Failures } from "./failures.js";
import { FiguresNews } from "./figures-news.js";
import type { Credential } from "../handshake/hello.js";
import { readCounters } from "../impair/counters.js";
import type { WayOrder } from "../impair/way.js";
import { type EndEvent, type EndState, initialState, nextState, type Path } from "./link-state.js";
import { listenerPaths } from "./listener-paths.js";
import type { PathOwner, Paths } from "./paths.js";
import { readFigures } from "../frames/stats.js";
import type { TapOffload } from "../frames/tap.js";
import type { Quiet, WorkerEvent } from "../threads/worker-protocol.js";

const notPlugged = "its tap is not yet plugged into its lan";
const forbiddenEvent = {
  type: "failed",
  reason: "this host's policy allows encrypted links only",
  cause: "policy",
  nextTryMs: undefined,
} as const;

/** One end of a link: its tap, its connections and what it does, for ever, to be connected. */
export class End implements PathOwner {
  readonly #context: EndContext;
  #record: EndRecord;
  #state: EndState;
  readonly #tap: EndTap;
  #refusedForTicket = false;
  #direct: { readonly reachable: boolean | undefined; readonly reason: string } = { reachable: undefined, reason: "" };
  readonly #failures = new Failures();
  /** How quiet the peer is on a connection. */
  #quiet: { readonly number: number; readonly quiet: Quiet } = { number: 0, quiet: "no" };
  readonly #connections: Connections;
  readonly #news = new FiguresNews();
  #paths: Paths;
  readonly #ended = new AbortController();
  /** What is being closed: taps and ways of earlier roles. */
  readonly #closing = new Set<Promise<void>>();

  constructor(record: EndRecord, context: EndContext) {
    this.#record = record;
    this.#context = context;
    this.#state = initialState(record.role, Date.now());
    this.#connections = new Connections();
    this.#tap = new EndTap({
      name: this.#tapName,
      netns: context.netns,
      udpSuperFrames: context.udpSuperFrames,
      workers: context.workers,
      onReady: () => this.#onTapReady(),
      onFailed: (reason, nextTryMs) => this.#onTapFailed(reason, nextTryMs),
      onEvent: (event) => this.#onWorkerEvent(event),
    });
    this.#paths = this.#newPaths();
    // The engine does not know the end yet and cannot be told of a change.
    if (!this.#allowed) this.#state = nextState(this.#state, forbiddenEvent, Date.now());
  }

  get record(): EndRecord {
    return this.#record;
  }

  get identity(): CableIdentity {
    return this.#context.identity;
  }

  get peerKeySha256(): Buffer {
    return Buffer.from(this.#record.peerKeySha256, "hex");
  }

  get offload(): TapOffload {
    return this.#tap.offload;
  }

  get encryption(): Encryption {
    return this.#record.encryption ?? "tls";
  }

  /** It can take a connection only while its tap is there and policy allows it. */
  get ready(): boolean {
    return this.#tap.slot !== undefined && this.#allowed && !this.#ended.signal.aborted;
  }

  /** A dialer may connect to it. */
  get accepts(): boolean {
    return this.#record.role === "listener" && this.ready;
  }

  get inUse(): PathOwner["inUse"] {
    const { current } = this.#state;
    if (current === undefined) return undefined;
    return { path: current.path, quiet: this.#quiet.number === current.number ? this.#quiet.quiet : "no" };
  }

  get calmMs(): number {
    return this.#connections.calmMs(Date.now());
  }

  /** What to show to the listener: what was agreed on, what may have been, and the newest tickets. */
  get credentials(): readonly Credential[] {
    return credentialsOf(this.#record, Date.now());
  }

  get accepted(): readonly Credential[] {
    return this.credentials;
  }

  get spent(): readonly SpentTicket[] {
    return spentOf(this.#record, Date.now());
  }

  /** Changes the end to what is asked; the connection stays unless the peer, the role or the protection is another. The caller saves. */
  apply(spec: EndSpec): void {
    if (spec.ticket !== undefined) this.#refusedForTicket = false;
    this.#change(applySpec(spec, this.#record, Date.now()));
    if (spec.ticket !== undefined) this.#paths.hurry();
  }

  /** Takes a change back that could not be stored. */
  restore(record: EndRecord): void {
    this.#change(record);
  }

  refuseCopy(engine: string, from: string): CableFailure | undefined {
    const current = this.#connections.find(this.#state.current?.number);
    const known = current?.dialler ?? "";
    // Of an engine that has ended the connection is closed; of one that is cut off it becomes quiet within seconds.
    if (current === undefined || known === "" || engine === "" || known === engine) return undefined;
    if (this.inUse?.quiet !== "no") return undefined;
    const used = current.path === "relayed" ? "the relay" : current.remoteAddress;
    const why = `two live hosts have one identity: the one at ${used} is connected, the one at ${from} is refused; `;
    return new CableFailure(
      "peer",
      `${why}stop the agent of the copy, empty its state directory, join its machine as a host of its own`,
    );
  }

  async offerPairing(secret: Buffer): Promise<void> {
    this.#record = withOffer(this.#record, secret);
    await this.#context.save();
  }

  async confirmPairing(credential: Credential, offered: Buffer): Promise<void> {
    const paired = withConfirmed(this.#record, credential, offered);
    if (paired === this.#record) return;
    this.#record = paired;
    await this.#context.save();
  }

  handshake(credential: Credential, signal: AbortSignal): HandshakeOptions {
    return {
      identity: this.identity,
      peerKeySha256: this.peerKeySha256,
      linkUid: this.#record.linkUid,
      credential,
      offload: this.offload,
      encryption: this.encryption,
      engine: this.#context.engine,
      storePairing: (secret) => this.#storePairing(credential, secret),
      signal,
    };
  }

  /** Takes a connection whose handshake is done. When there is one already, it is replaced once frames have crossed the new one. */
  attach(connection: ReadyConnection): Promise<CableFailure | undefined> {
    const slot = this.#tap.slot;
    if (slot === undefined || !this.ready) {
      close(connection.established.fd);
      return Promise.resolve(new CableFailure("lost", "the tap went away during the handshake"));
    }
    const { number, settled } = this.#connections.add(connection);
    this.#refusedForTicket = false;
    this.#failures.clear();
    slot.attach(number, connection.established);
    if (this.#state.faults.port !== "") slot.notice(this.#state.faults.port);
    this.#apply({ type: "attached", number, path: connection.path });
    return settled;
  }

  failed(path: Path, failure: CableFailure, nextTryMs: number): void {
    this.#failures.set(path, failure, nextTryMs);
    if (this.inUse !== undefined) return;
    this.#refusedForTicket ||= failure.needsTicket;
    this.#tellFailures();
  }

  tellDirect(reachable: boolean | undefined, reason: string): void {
    if (this.#direct.reachable === reachable && this.#direct.reason === reason) return;
    this.#direct = { reachable, reason: reachable === false ? reason : "" };
    this.#context.changed();
  }

  /** A connection attempt of the peer was refused. */
  refused(failure: CableFailure): void {
    this.#refusedForTicket ||= failure.needsTicket;
    const { message: reason, kind: cause } = failure;
    this.#apply({ type: "failed", reason, cause, nextTryMs: undefined });
    this.#context.changed();
  }

  /** The agent tells whether the tap is plugged into its lan. Ignored when it is about an earlier tap. */
  setPort(generation: string, fault: string): void {
    if (!this.#tap.setPlugged(generation, fault === "")) return;
    this.#apply({ type: "fault", source: "port", text: fault });
    if (this.#state.current !== undefined) this.#tap.slot?.notice(fault);
  }

  /** Looks at the counters. Call once a second. True when they should be told. */
  refresh(nowMs: number): boolean {
    return this.#news.sample(readFigures(this.#tap.slot?.stats), nowMs) || this.#record.impairment !== undefined;
  }

  view(): EndView {
    const { reachable, reason } = this.#direct;
    const connection = this.#connections.find(this.#state.current?.number);
    // A listener with a direct connection does not test.
    const tested = this.#record.role === "dialer" || connection?.path !== "direct";
    return endView({
      record: this.#record,
      state: this.#state,
      connection,
      figures: readFigures(this.#tap.slot?.stats),
      counters: readCounters(this.#tap.slot?.counters),
      ...this.#news.rates(),
      ...(reachable === undefined || !tested ? {} : { direct: reachable }),
      directReason: tested ? reason : "",
      connects: this.#connections.count,
      needsTicket: this.#needsTicket(),
      tap: this.#tap.view(),
    });
  }

  /** Tests what lies between the tap and the other host. */
  diagnose(): Promise<EndDiagnosis> {
    return diagnose(this, {
      connection: this.#connections.find(this.#state.current?.number),
      slot: this.#tap.slot,
      tapFrameSent: this.#tap.test(),
      peerFault: this.#state.faults.peer,
    });
  }

  /** Ends it: tells the peer why, closes the connections and removes the tap. */
  async close(goodbye: string): Promise<void> {
    this.#ended.abort();
    this.#connections.closeAll(goodbye);
    await Promise.all([this.#tap.close(goodbye), this.#paths.close()]);
    await Promise.all(this.#closing);
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
    if (this.#state.current !== undefined) return false;
    return this.#refusedForTicket || this.credentials.length === 0;
  }

  #newPaths(): Paths {
    return this.#record.role === "dialer" ? dialerPaths(this) : listenerPaths(this);
  }

  #change(record: EndRecord): void {
    const previous = this.#record;
    this.#record = record;
    const turned = previous.role !== record.role;
    const moved = previous.peerKeySha256 !== record.peerKeySha256 || (previous.encryption ?? "tls") !== this.encryption;
    if (turned || moved) this.#beginAnew(turned ? "the two ends changed roles" : "the link was set up anew");
    else if (waysOf(previous) !== waysOf(record)) this.#paths.hurry();
    if (previous.impairment?.revision !== record.impairment?.revision) this.#tap.slot?.impair(wayOrderOf(record));
    if (previous.lan !== record.lan) {
      this.#tap.unplug();
      this.#apply({ type: "fault", source: "port", text: notPlugged });
    }
    this.#context.changed();
  }

  /** Gives up all connections and connects again in the role it now has; the tap stays. */
  #beginAnew(why: string): void {
    this.#close(this.#paths.close());
    this.#tap.slot?.detach(why);
    this.#connections.closeAll(why);
    this.#failures.clear();
    this.#direct = { reachable: undefined, reason: "" };
    this.#apply({ type: "reset", reason: why });
    if (!this.#allowed) this.#apply(forbiddenEvent);
    this.#paths = this.#newPaths();
  }

  #close(closing: Promise<void>): void {
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }

  #onTapReady(): void {
    if (this.#record.impairment !== undefined) this.#tap.slot?.impair(wayOrderOf(this.#record));
    this.#apply({ type: "fault", source: "port", text: notPlugged });
    this.#paths.reconsider();
    this.#context.changed();
  }

  #onTapFailed(reason: string, nextTryMs: number): void {
    this.#context.log.error({ link: this.#record.link, error: reason }, "the cable's tap cannot be made");
    this.#apply({ type: "failed", reason, cause: "port", nextTryMs });
  }

  async #storePairing(credential: Credential, secret: Buffer): Promise<void> {
    this.#record = { ...withUsedTicket(this.#record, credential.secret), pairing: secret.toString("hex") };
    await this.#context.save();
  }

  #onWorkerEvent(event: WorkerEvent): void {
    switch (event.type) {
      case "tapLost":
        this.#onTapLost();
        return;
      case "released":
        return;
      case "proven":
        this.#connections.proven(event.connection);
        this.#apply({ type: "proven", number: event.connection });
        return;
      case "quiet": {
        if (event.connection !== this.#state.current?.number) return;
        this.#quiet = { number: event.connection, quiet: event.quiet };
        const text = event.quiet === "silent" ? "the peer has not answered for more than 5 s" : "";
        this.#apply({ type: "fault", source: "silence", text });
        this.#paths.reconsider();
        return;
      }
      case "notice":
        if (this.#connections.find(event.connection) === undefined) return;
        this.#apply({ type: "fault", source: "peer", text: event.text === "" ? "" : `peer says ${quote(event.text)}` });
        return;
      case "closed":
        this.#onClosed(event.connection, this.#connections.closed(event.connection, event.cause));
    }
  }

  #onClosed(number: number, failure: CableFailure): void {
    const wasCurrent = this.#state.current?.number === number;
    const wasProven = this.#state.current?.proven === true;
    const { message: reason, kind: cause } = failure;
    this.#apply({ type: "closed", number, reason, cause });
    if (wasCurrent && wasProven && this.inUse === undefined) this.#paths.hurry();
  }

  /** Somebody deleted the tap or its namespace: makes another. */
  #onTapLost(): void {
    const reason = "the cable's tap was deleted";
    this.#context.log.warn({ link: this.#record.link, tap: this.#tapName }, "the tap was deleted; making it anew");
    this.#tap.lost(reason);
    this.#connections.closeAll(reason);
    this.#apply({ type: "reset", reason });
    this.#apply({ type: "failed", reason, cause: "port", nextTryMs: undefined });
  }

  #tellFailures(): void {
    const event = this.#failures.event;
    const { cause, reason } = event;
    // A peer may be away for days.
    if (reason !== this.#state.reason) {
      this.#context.log.info({ link: this.#record.link, cause, reason }, "the cable is down");
    }
    this.#apply(event);
  }

  #apply(event: EndEvent): void {
    const before = this.#state;
    this.#state = nextState(before, event, Date.now());
    if (this.#state === before) return;
    const { phase, reason, cause, current } = this.#state;
    if (phase !== before.phase || current?.path !== before.current?.path) {
      const { link } = this.#record;
      this.#context.log.info({ link, phase, reason, cause, path: current?.path }, "link end changed");
    }
    if (current !== undefined) this.#failures.clear();
    this.#paths.reconsider();
    this.#context.changed();
  }
}

/** By which ways an end connects: a change makes a new attempt worth it. */
function waysOf({ peerAddresses, relayAddresses, relayTicket }: EndRecord): string {
  return [...peerAddresses, "relay", ...(relayAddresses ?? []), relayTicket ?? ""].join();
}

/** What is to happen to the frames the end sends; undefined: nothing. */
function wayOrderOf({ impairment }: EndRecord): WayOrder | undefined {
  if (impairment === undefined) return undefined;
  const { standing, steps, usedSeed, setMs } = impairment;
  return { standing, steps, seed: usedSeed, setMs };
}
