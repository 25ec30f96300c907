import type { Http2SecureServer, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import type {
  Metadata,
  ServerInterceptingCall,
  ServerInterceptingCallInterface,
  ServerInterceptor,
} from "@grpc/grpc-js";
import { forwardedCallerKey, urisOf } from "../auth/caller.js";
import { resourceExhausted, unavailable, ZorError } from "../errors.js";
import { addressGroup } from "../net/address-group.js";
import { Door } from "../net/door.js";
import { socketBelow } from "../net/socket-below.js";
import { patientClock } from "../patient-clock.js";
import { TokenBucket } from "../token-bucket.js";
import { Conduct, type Deed } from "./conduct.js";
import { FairQueue } from "./fair-queue.js";
import { GuardedCall, tooMuchQueued } from "./guarded-call.js";
import { GuardedSession } from "./guarded-session.js";
import type { ServerLimits } from "./limits.js";
import { isWatch } from "./open-watches.js";
import { type Owner, Quota } from "./quota.js";

/** What was held back or cut off, for the log. */
export type GuardNews = (message: string, facts: Readonly<Record<string, unknown>>) => void;

const lookMs = 50;
const looksPerCall = 20;
/** Notices of one kind are told so often at most. */
const newsMs = 10_000;
/** A message of so many bytes is charged like a call of the least length. */
const bytesPerCall = 128 * 1024;
/** A call that is refused counts as so many. */
const refusedCost = 4;
/** So many connections that must go are told why, each for so long; the others are closed without a word, which costs less. */
const explained = { perSecond: 1, burst: 3 };
const explainMs = 1000;
/** So many calls of such a connection are answered at most. */
const refusedCalls = 4;

interface Arriving {
  readonly socket: TLSSocket;
  readonly owner: Owner;
  /** Why it must go. */
  readonly refusal: ZorError | undefined;
}

/**
 * Holds the limits of one server, on all its listeners: they belong to identities and addresses, however many connections those make.
 * What cannot be taken back, such as control frames, ends the connection; calls wait for their caller's turn.
 */
export class ServerGuard {
  readonly door: Door;
  readonly #limits: ServerLimits;
  readonly #connections: Quota;
  readonly #streams: Quota;
  readonly #watches: Quota;
  readonly #work: FairQueue;
  readonly #sessions = new Map<ServerHttp2Session, GuardedSession>();
  readonly #conduct: Conduct;
  readonly #toldMs = new Map<string, number>();
  #news: GuardNews = () => undefined;
  /** The socket of which HTTP/2 makes a session in this turn. */
  #arriving: Arriving | undefined;
  readonly #explained = new TokenBucket(explained);
  #onEmpty: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  readonly #patience = patientClock();

  constructor(limits: ServerLimits) {
    this.#limits = limits;
    this.door = new Door(limits.door);
    this.#conduct = new Conduct(limits.conduct);
    this.#connections = new Quota("connections", limits.connections);
    this.#streams = new Quota("calls under way", limits.streams);
    this.#watches = new Quota("watches", limits.watches);
    this.#work = new FairQueue(limits.work);
  }

  /** Where to tell of what was held back. */
  set news(news: GuardNews) {
    this.#news = news;
  }

  /** For the server's options: guards every call. */
  readonly interceptor: ServerInterceptor = (method, base): ServerInterceptingCall => this.#guard(method, base);

  /** Guards the connections of an HTTP/2 server that grpc-js made. */
  watch(server: Http2SecureServer): void {
    // HTTP/2 takes a socket as the only listener of this event. One that must go goes before that: a session costs as much as a call.
    const takers = server.listeners("secureConnection");
    server.removeAllListeners("secureConnection");
    server.on("secureConnection", (socket: TLSSocket) => {
      this.#arriving = this.#welcome(socket);
      if (this.#arriving === undefined) socket.on("error", () => undefined).destroy();
      else for (const taker of takers) taker.call(server, socket);
    });
    server.on("session", (session: ServerHttp2Session) => this.#begin(session));
    server.on("stream", (stream: ServerHttp2Stream) => this.#onStream(stream));
  }

  /** Requests that grpc-js answers by itself, as it knows no such method: nobody else would look whether they end. */
  #onStream(stream: ServerHttp2Stream): void {
    const session = this.#sessions.get(stream.session as ServerHttp2Session);
    if (session === undefined || session.has(stream)) return;
    this.#note(session.owner, "calls", 1);
    const timer = setTimeout(() => stream.close(), this.#limits.times.endMs).unref();
    stream.once("close", () => clearTimeout(timer));
  }

  close(): void {
    this.door.close();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Calls back when there is no connection, now or later. */
  whenEmpty(callback: () => void): void {
    if (this.#sessions.size === 0) callback();
    else this.#onEmpty = callback;
  }

  /** Ends every connection at once. */
  destroySessions(): void {
    for (const session of [...this.#sessions.keys()]) session.destroy();
  }

  /** Whose a connection is; undefined: it must go at once. */
  #welcome(socket: TLSSocket): Arriving | undefined {
    const raw = socketBelow(socket);
    if (raw !== undefined) this.door.proven(raw);
    const certificate = socket.getPeerCertificate();
    // grpc-js asks for it at every call, and parsing it takes longer than many calls.
    Object.defineProperty(socket, "getPeerCertificate", { value: () => certificate });
    const [identity = ""] = urisOf(certificate).filter((uri) => !uri.startsWith("zor://role/"));
    const owner: Owner = { identity, address: addressGroup(socket.remoteAddress) };
    const admitted = this.#admit(owner);
    if (!(admitted instanceof ZorError)) {
      socket.once("close", admitted);
      return { socket, owner, refusal: undefined };
    }
    if (!this.#explained.take()) return undefined;
    const timer = setTimeout(() => socket.destroy(), explainMs).unref();
    socket.once("close", () => clearTimeout(timer));
    return { socket, owner, refusal: admitted };
  }

  #begin(session: ServerHttp2Session): void {
    // The session's own socket is a proxy that throws once the connection ends.
    const arriving = this.#arriving;
    this.#arriving = undefined;
    if (arriving === undefined) {
      session.destroy();
      return;
    }
    const { socket, owner, refusal } = arriving;
    const guarded = new GuardedSession({
      session,
      socket: socketBelow(socket) ?? socket,
      owner,
      note: (deed, amount) => this.#note(owner, deed, amount),
      refusal,
    });
    this.#sessions.set(session, guarded);
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref();
    session.once("close", () => {
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#onEmpty();
    });
  }

  /** How to give its place back, or why it must go. */
  #admit(owner: Owner): (() => void) | ZorError {
    if (isHub(owner.identity)) return () => undefined;
    if (this.#note(owner, "connects", 1)) return outForNow();
    try {
      return this.#connections.take(owner);
    } catch (error) {
      if (!(error instanceof ZorError)) throw error;
      this.#tell("a connection was refused: its owner has too many", owner);
      return error;
    }
  }

  /** True: the caller is out, and so are all its connections. */
  #note(owner: Owner, deed: Deed, amount: number): boolean {
    const { identity, address } = owner;
    if (isHub(identity)) return false;
    const who = identity === "" ? address : identity;
    const wasOut = this.#conduct.isOut(who);
    const isOut = this.#conduct.note(who, deed, amount);
    if (isOut && !wasOut) {
      this.#tell("a caller was cut off for a while", { ...owner, tooMany: deed });
      // In a turn of its own: this may be in the middle of what one of them sent.
      setImmediate(() => this.#cutOff(owner));
    }
    return isOut;
  }

  #cutOff({ identity, address }: Owner): void {
    for (const [session, { owner }] of [...this.#sessions]) {
      if (owner.identity === identity && (identity !== "" || owner.address === address)) {
        session.destroy(undefined, enhanceYourCalm);
      }
    }
  }

  #guard(method: Parameters<ServerInterceptor>[0], base: ServerInterceptingCallInterface): GuardedCall {
    let owner: Owner | undefined;
    const leaveNothing = (): void => undefined;
    const call: GuardedCall = new GuardedCall(base, {
      method: method.path,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      times: this.#limits.times,
      now: this.#patience,
      enter: (metadata, begin) => {
        const session = this.#sessionOf(call);
        if (session.refusal !== undefined) {
          this.#endRefused(call);
          throw session.refusal;
        }
        owner = callerOf(session.owner, metadata);
        if (owner === undefined) {
          begin();
          return leaveNothing;
        }
        this.#count(call, session.owner, owner, isWatch(method.path));
        return this.#work.enter(owner, begin);
      },
      enterMessage: (bytes, begin) => {
        if (owner === undefined || bytes === 0) {
          begin();
          return leaveNothing;
        }
        return this.#work.enter(owner, begin, (bytes / bytesPerCall) * this.#limits.work.leastMs);
      },
      onQueued: () => this.#boundQueued(call),
    });
    this.#sessions.get(call.stream.session as ServerHttp2Session)?.add(call);
    return call;
  }

  /** A connection that is there only to say why it must go ends with its first calls: those of a flood would cost as if it were let in. */
  #endRefused(call: GuardedCall): void {
    const session = call.stream.session as ServerHttp2Session;
    const { size } = this.#sessions.get(session)?.calls ?? { size: 0 };
    setImmediate(() => {
      if (size > refusedCalls) session.destroy();
      else session.close();
    });
  }

  #count(call: GuardedCall, peer: Owner, owner: Owner, watches: boolean): void {
    const releases: (() => void)[] = [];
    call.stream.once("close", () => {
      for (const release of releases) release();
    });
    if (this.#note(peer, "calls", 1)) throw outForNow();
    try {
      releases.push(this.#streams.take(owner));
      if (watches) releases.push(this.#watches.take(owner));
    } catch (error) {
      this.#note(peer, "calls", refusedCost);
      throw error;
    }
  }

  #sessionOf(call: GuardedCall): GuardedSession {
    const session = this.#sessions.get(call.stream.session as ServerHttp2Session);
    if (session === undefined) throw unavailable("CONNECTION_ENDS", "", "the connection ends");
    return session;
  }

  /** Too much waits to be read by one caller: whose call has waited longest goes. */
  #boundQueued(call: GuardedCall): void {
    const session = this.#sessions.get(call.stream.session as ServerHttp2Session);
    if (session === undefined) return;
    const { queuedBytes } = this.#limits;
    const all = [...this.#sessions.values()];
    const bound = (sessions: readonly GuardedSession[], limit: number): void => {
      if (sessions.reduce((sum, each) => sum + each.queuedBytes, 0) <= limit) return;
      const calls = sessions.flatMap((each) => [...each.calls]).filter((each) => each.queuedBytes > 0);
      const [oldest] = calls.sort((a, b) => a.sendingSinceMs - b.sendingSinceMs);
      oldest?.drop(tooMuchQueued(limit / 1024 / 1024));
    };
    const { identity, address } = session.owner;
    bound(
      all.filter((each) => each.owner.identity === identity && !isHub(identity)),
      queuedBytes.identity,
    );
    bound(
      all.filter((each) => each.owner.address === address),
      queuedBytes.address,
    );
    bound(all, queuedBytes.all);
  }

  #look(): void {
    this.#looks += 1;
    const nowMs = this.#patience();
    for (const session of this.#sessions.values()) session.look(nowMs, this.#looks % looksPerCall === 0);
    if (this.#sessions.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(message: string, facts: object): void {
    const nowMs = performance.now();
    if (nowMs - (this.#toldMs.get(message) ?? Number.NEGATIVE_INFINITY) < newsMs) return;
    this.#toldMs.set(message, nowMs);
    this.#news(message, { ...facts });
  }
}

/** RFC 9113, section 7: ENHANCE_YOUR_CALM. */
const enhanceYourCalm = 11;

function isHub(identity: string): boolean {
  return identity.startsWith("zor://hub/");
}

/** Who is counted for a call; undefined: nobody, as a hub calls for itself. */
function callerOf(owner: Owner, metadata: Metadata): Owner | undefined {
  if (!isHub(owner.identity)) return owner;
  const [forwarded] = metadata.get(forwardedCallerKey);
  const [identity] = forwarded?.toString().split(" ") ?? [];
  // All come from the hub's address: it is not one that can be counted.
  return identity === undefined ? undefined : { identity, address: `by ${identity}` };
}

function outForNow(): ZorError {
  return resourceExhausted("OUT_FOR_NOW", "this caller asked far too much in a short time; try again in a minute");
}
