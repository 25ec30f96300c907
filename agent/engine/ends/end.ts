import { createHash } from "node:crypto";
import { close } from "../../../lib/libc.js";
import { quote } from "../../../lib/names.js";
import type { EndSpec } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import type { EndDiagnosis } from "../../../proto/gen/zor/agent/v1/engine.js";
import type { TapOffload } from "../frames/tap.js";
import { readFigures } from "../frames/stats.js";
import type { HandshakeOptions, ReadyConnection } from "../handshake/dial.js";
import { CableFailure } from "../handshake/failure.js";
import type { Encryption } from "../handshake/encryption.js";
import type { Credential } from "../handshake/hello.js";
import { readCounters } from "../impair/counters.js";
import type { CableIdentity } from "../protocol/cable-identity.js";
import type { EndView } from "../protocol/end-protocol.js";
import type { CableReport } from "../threads/cable-orders.js";
import { Connections } from "./connections.js";
import { diagnose } from "./diagnose.js";
import { dialerPaths } from "./dialer-paths.js";
import { refusalOfCopy } from "./copies.js";
import { EndBook } from "./end-book.js";
import type { EndContext } from "./end-context.js";
import { EndProgress } from "./end-progress.js";
import { encryptionOf, type EndRecord, roleOf, waysOf, wayOrderOf } from "./end-record.js";
import type { SpentTicket } from "./end-secrets.js";
import { EndTap } from "./end-tap.js";
import { endView } from "./end-view.js";
import { Failures } from "./failures.js";
import { FiguresNews } from "./figures-news.js";
import type { EndState, Path } from "./link-state.js";
import { listenerPaths } from "./listener-paths.js";
import type { PathOwner, Paths } from "./paths.js";

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
  readonly #book: EndBook;
  readonly #progress: EndProgress;
  readonly #tap: EndTap;
  #refusedForTicket = false;
  #direct: { readonly reachable: boolean | undefined; readonly reason: string } = { reachable: undefined, reason: "" };
  readonly #failures = new Failures();
  readonly #connections: Connections;
  readonly #news = new FiguresNews();
  #paths: Paths;
  readonly #ended = new AbortController();
  /** What is being closed: taps and ways of earlier roles. */
  readonly #closing = new Set<Promise<void>>();
  #impairing: Promise<void> = Promise.resolve();

  constructor(record: EndRecord, context: EndContext) {
    this.#context = context;
    this.#book = new EndBook(record, context.save);
    const { link } = record.spec;
    // The engine does not know the end yet and cannot be told of a change.
    let known = false;
    this.#progress = new EndProgress(roleOf(record), {
      ...{ link, log: context.log },
      onChange: (state) => {
        if (known) this.#onProgress(state);
      },
    });
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
    if (!this.#allowed) this.#progress.apply(forbiddenEvent);
    known = true;
  }

  get record(): EndRecord {
    return this.#book.record;
  }

  get identity(): CableIdentity {
    return this.#context.identity;
  }

  get peerKeySha256(): Buffer {
    return this.record.spec.peerKeySha256;
  }

  get offload(): TapOffload {
    return this.#tap.offload;
  }

  get encryption(): Encryption {
    return encryptionOf(this.record);
  }

  /** It can take a connection only while its tap is there and policy allows it. */
  get ready(): boolean {
    return this.#tap.slot !== undefined && this.#allowed && !this.#ended.signal.aborted;
  }

  /** A dialer may connect to it. */
  get accepts(): boolean {
    return roleOf(this.record) === "listener" && this.ready;
  }

  get inUse(): PathOwner["inUse"] {
    return this.#progress.inUse;
  }

  get calmMs(): number {
    return this.#connections.calmMs(Date.now());
  }

  get credentials(): readonly Credential[] {
    return this.#book.credentials;
  }

  get accepted(): readonly Credential[] {
    return this.#book.credentials;
  }

  get spent(): readonly SpentTicket[] {
    return this.#book.spent;
  }

  /** Changes the end to what is asked; the connection stays unless the peer, the role or the protection is another. The caller saves. */
  apply(spec: EndSpec): void {
    const hasTicket = spec.ticket.length > 0;
    if (hasTicket) this.#refusedForTicket = false;
    this.#change(this.#book.asked(spec));
    if (hasTicket) this.#paths.hurry();
  }

  /** Resolves when the impairment asked for last holds for every frame. */
  async settled(): Promise<void> {
    await this.#impairing;
  }

  /** Takes a change back that could not be stored. */
  restore(record: EndRecord): void {
    this.#change(record);
  }

  refuseCopy(engine: string, from: string): CableFailure | undefined {
    return this.inUse?.quiet === "no" ? refusalOfCopy(this.#connection, engine, from) : undefined;
  }

  offerPairing(secret: Buffer): Promise<void> {
    return this.#book.offer(secret);
  }

  confirmPairing(credential: Credential, offered: Buffer): Promise<void> {
    return this.#book.confirm(credential, offered);
  }

  handshake(credential: Credential, signal: AbortSignal): HandshakeOptions {
    return {
      identity: this.identity,
      peerKeySha256: this.peerKeySha256,
      linkUid: this.record.spec.linkUid,
      credential,
      offload: this.offload,
      encryption: this.encryption,
      engine: this.#context.engine,
      storePairing: (secret) => this.#book.storePairing(credential, secret),
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
    const fault = this.#progress.state.faults.port;
    if (fault !== "") slot.notice(fault);
    this.#progress.apply({ type: "attached", number, path: connection.path });
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
    this.#progress.apply({ type: "failed", reason, cause, nextTryMs: undefined });
    this.#context.changed();
  }

  /** The agent tells whether the tap is plugged into its lan. Ignored when it is about an earlier tap. */
  setPort(generation: string, fault: string): void {
    if (!this.#tap.setPlugged(generation, fault === "")) return;
    this.#progress.apply({ type: "fault", source: "port", text: fault });
    if (this.#progress.current !== undefined) this.#tap.slot?.notice(fault);
  }

  /** Looks at the counters. Call once a second. True when they should be told. */
  refresh(nowMs: number): boolean {
    return this.#news.sample(readFigures(this.#tap.slot?.stats), nowMs) || this.record.begun !== undefined;
  }

  view(): EndView {
    const connection = this.#connection;
    // A listener with a direct connection does not test.
    const tested = roleOf(this.record) === "dialer" || connection?.path !== "direct";
    return endView({
      record: this.record,
      state: this.#progress.state,
      connection,
      figures: readFigures(this.#tap.slot?.stats),
      counters: readCounters(this.#tap.slot?.counters),
      ...this.#news.rates(),
      direct: tested ? this.#direct : { reachable: undefined, reason: "" },
      connects: this.#connections.count,
      needsTicket: this.#needsTicket(),
      tap: this.#tap.view(),
    });
  }

  /** Tests what lies between the tap and the other host. */
  diagnose(): Promise<EndDiagnosis> {
    return diagnose(this, {
      connection: this.#connection,
      slot: this.#tap.slot,
      tapFrameSent: this.#tap.test(),
      peerFault: this.#progress.state.faults.peer,
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
    const hash = createHash("sha256").update(keySha256).update(this.record.spec.linkUid, "utf8").digest("hex");
    return `zc${hash.slice(0, 12)}`;
  }

  get #allowed(): boolean {
    return this.encryption === "tls" || this.#context.allowPlainLinks;
  }

  /** The one in use. */
  get #connection(): ReadyConnection | undefined {
    return this.#connections.find(this.#progress.current);
  }

  #needsTicket(): boolean {
    if (this.#progress.current !== undefined) return false;
    return this.#refusedForTicket || this.credentials.length === 0;
  }

  #newPaths(): Paths {
    return roleOf(this.record) === "dialer" ? dialerPaths(this) : listenerPaths(this);
  }

  #change(record: EndRecord): void {
    const previous = this.record;
    this.#book.replace(record);
    const turned = roleOf(previous) !== roleOf(record);
    const moved = !previous.spec.peerKeySha256.equals(this.peerKeySha256) || encryptionOf(previous) !== this.encryption;
    if (turned || moved) this.#beginAnew(turned ? "the two ends changed roles" : "the link was set up anew");
    else if (waysOf(previous) !== waysOf(record)) this.#paths.hurry();
    if (previous.begun !== record.begun) this.#impair();
    if (previous.spec.lan !== record.spec.lan) {
      this.#tap.unplug();
      this.#progress.apply({ type: "fault", source: "port", text: notPlugged });
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
    this.#progress.apply({ type: "reset", reason: why });
    if (!this.#allowed) this.#progress.apply(forbiddenEvent);
    this.#paths = this.#newPaths();
  }

  #close(closing: Promise<void>): void {
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }

  #impair(): void {
    this.#impairing = this.#tap.slot?.impair(wayOrderOf(this.record)) ?? this.#impairing;
  }

  #onTapReady(): void {
    if (this.record.begun !== undefined) this.#impair();
    this.#progress.apply({ type: "fault", source: "port", text: notPlugged });
    this.#paths.reconsider();
    this.#context.changed();
  }

  #onTapFailed(reason: string, nextTryMs: number): void {
    this.#context.log.error({ link: this.record.spec.link, error: reason }, "the cable's tap cannot be made");
    this.#progress.apply({ type: "failed", reason, cause: "port", nextTryMs });
  }

  #onWorkerEvent(event: CableReport): void {
    switch (event.type) {
      case "tapLost":
        this.#onTapLost();
        return;
      case "released":
        return;
      case "proven":
        this.#connections.proven(event.connection);
        this.#progress.apply({ type: "proven", number: event.connection });
        return;
      case "quiet":
        if (this.#progress.becomeQuiet(event.connection, event.quiet)) this.#paths.reconsider();
        return;
      case "notice":
        if (this.#connections.find(event.connection) === undefined) return;
        this.#onNotice(event.text);
        return;
      case "closed":
        this.#onClosed(event.connection, this.#connections.closed(event.connection, event.cause));
    }
  }

  #onNotice(said: string): void {
    const text = said === "" ? "" : `peer says ${quote(said)}`;
    this.#progress.apply({ type: "fault", source: "peer", text });
  }

  #onClosed(number: number, failure: CableFailure): void {
    const { current } = this.#progress.state;
    const { message: reason, kind: cause } = failure;
    this.#progress.apply({ type: "closed", number, reason, cause });
    if (current?.number === number && current.proven && this.inUse === undefined) this.#paths.hurry();
  }

  /** Somebody deleted the tap or its namespace: makes another. */
  #onTapLost(): void {
    const reason = "the cable's tap was deleted";
    const { link } = this.record.spec;
    this.#context.log.warn({ link, tap: this.#tapName }, "the tap was deleted; making it anew");
    this.#tap.lost(reason);
    this.#connections.closeAll(reason);
    this.#progress.apply({ type: "reset", reason });
    this.#progress.apply({ type: "failed", reason, cause: "port", nextTryMs: undefined });
  }

  #tellFailures(): void {
    const event = this.#failures.event;
    const { cause, reason } = event;
    // A peer may be away for days.
    if (reason !== this.#progress.state.reason) {
      this.#context.log.info({ link: this.record.spec.link, cause, reason }, "the cable is down");
    }
    this.#progress.apply(event);
  }

  #onProgress({ current }: EndState): void {
    if (current !== undefined) this.#failures.clear();
    this.#paths.reconsider();
    this.#context.changed();
  }
}
