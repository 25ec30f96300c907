import { errnoName, SystemCallError } from "../../../lib/libc.js";
import { frameType, ProtocolError, probeBytes } from "./frame.js";
import { ProbeBook } from "./probe-book.js";
import { EndOfStream, Receiver } from "./receiver.js";
import { Sender } from "./sender.js";
import { stat } from "./stats.js";
import type { CloseCause, EstablishedConnection, Quiet } from "../threads/cable-orders.js";

/** Between probes of a connection that works, and of one that is not yet proven. */
const probeIntervalMs = 1_000;
const eagerProbeIntervalMs = 100;
/** Between the probes of a burst. */
const burstIntervalMs = 50;
const probeGridMs = 500;
/** A peer that has not answered for so long is told of, by its quietness: another way may be made meanwhile. */
const quietMs = { suspect: 2_000, silent: 5_000 } as const;
/** Between what is told of the peer's notices: it may send millions of them. */
const noticeIntervalMs = 20;
/** MTUs to be proven, each by a probe padded to that MTU plus the ethernet header. The first is that of every lan. */
const proofMtus = [1_500, 9_000] as const;
const ethernetHeaderBytes = 14;
/** What a probe is made in and an echo compared with; the connections of a thread share it, for the length of a call. */
const pattern = Buffer.alloc(Math.max(...proofMtus) + ethernetHeaderBytes);

/** One connection of a cable in its worker: a sender, a receiver and the probes between the ends. Never waits. */
export class Connection {
  readonly number: number;
  readonly established: EstablishedConnection;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly probes: ProbeBook = new ProbeBook();
  readonly attachedMs: number;
  lastHeardMs: number;
  /** When the peer last answered a probe. */
  lastEchoMs: number;
  /** What was told of the peer's not answering. */
  quiet: Quiet = "no";
  nextProbeMs: number;
  /** Frames have crossed both ways. */
  proven = false;
  /** Largest MTU that crossed and came back. */
  mtuProven = 0;
  /** The peer has sent its last frame on this connection. */
  peerDone = false;
  /** Not read before, when above 0: what is under way on an older connection comes first. */
  heldUntilMs = 0;
  /** Probes of a burst that are still to be sent. */
  #burst = 0;
  /** It was held; once is enough. */
  wasHeld = false;
  /** When it is closed at the latest; only on a connection that is being left. */
  leaveByMs: number = Number.POSITIVE_INFINITY;
  /** The peer's last notice, while it was not told, and when the next may be. */
  #notice: string | undefined;
  #nextNoticeMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly number: number;
    readonly established: EstablishedConnection;
    readonly tapFd: number;
    readonly stats: Float64Array;
    readonly nowMs: number;
    readonly onControl: (connection: Connection, type: number, payload: Buffer) => void;
  }) {
    const { established, onControl } = options;
    this.number = options.number;
    this.established = established;
    this.attachedMs = options.nowMs;
    this.lastHeardMs = options.nowMs;
    this.lastEchoMs = options.nowMs;
    this.nextProbeMs = options.nowMs;
    this.sender = new Sender(options);
    this.receiver = new Receiver({ ...options, onControl: (type, payload) => onControl(this, type, payload) });
  }

  get fd(): number {
    return this.established.fd;
  }

  /** Sends so many probes in quick succession, from now on. */
  burst(count: number, nowMs: number): void {
    this.#burst = count;
    this.nextProbeMs = nowMs;
  }

  /** Sends a probe and says when the next is due. */
  probe(nowMs: number): void {
    this.nextProbeMs = nowMs + eagerProbeIntervalMs;
    if (this.#burst > 0) {
      this.#burst -= 1;
      this.nextProbeMs = nowMs + burstIntervalMs;
    } else if (this.proven) {
      // On a common grid, so that many idle cables wake their thread a few times a second only, and not later than the interval.
      this.nextProbeMs = Math.floor((nowMs + probeIntervalMs) / probeGridMs) * probeGridMs;
    }
    const sequence = this.probes.sent(nowMs);
    const payload = pattern.subarray(0, bytesOfProbe(sequence)).fill(sequence & 255);
    payload.writeDoubleBE(nowMs, 0);
    payload.writeUInt32BE(sequence, 8);
    this.sender.control(frameType.probe, payload);
    this.sender.flush();
  }

  /**
   * Takes a probe that came back; false when it is none of the remembered ones.
   * @throws {ProtocolError} when it is not as it was sent.
   */
  takeEcho(payload: Buffer): boolean {
    const sequence = payload.readUInt32BE(8);
    const nowMs = performance.now();
    if (!this.probes.echoed(sequence, nowMs)) return false;
    const { length } = payload;
    // The pattern is only as long as the longest probe.
    if (length !== bytesOfProbe(sequence)) throw otherProbe();
    pattern.fill(sequence & 255, probeBytes.min, length);
    if (payload.compare(pattern, probeBytes.min, length, probeBytes.min, length) !== 0) throw otherProbe();
    this.lastEchoMs = nowMs;
    const mtu = payload.length - ethernetHeaderBytes;
    if (payload.length > probeBytes.min && mtu > this.mtuProven) this.mtuProven = mtu;
    return true;
  }

  /** A probe as large as every lan's frames came back. */
  get provable(): boolean {
    return this.mtuProven >= proofMtus[0];
  }

  /** Looks how long the peer has not answered. True when {@link quiet} is another than before. */
  becomesQuiet(nowMs: number): boolean {
    const ms = nowMs - this.lastEchoMs;
    const before = this.quiet;
    this.quiet = ms > quietMs.silent ? "silent" : ms > quietMs.suspect ? "suspect" : "no";
    return this.quiet !== before;
  }

  /** Takes what the peer says is wrong at its end; {@link takeNotice} gives it. */
  putNotice(text: string): void {
    this.#notice = text;
  }

  /** A notice was put and not taken. */
  get hasNotice(): boolean {
    return this.#notice !== undefined;
  }

  /** The peer's last notice, once; undefined: there is none, or the one before it was a moment ago. */
  takeNotice(nowMs: number): string | undefined {
    if (nowMs < this.#nextNoticeMs) return undefined;
    const text = this.#notice;
    this.#notice = undefined;
    if (text !== undefined) this.#nextNoticeMs = nowMs + noticeIntervalMs;
    return text;
  }

  /** When something must be done next. @param inUse frames are sent on it, so that its peer's not answering is told. */
  dueMs(inUse: boolean): number {
    if (this.leaveByMs !== Number.POSITIVE_INFINITY) return this.leaveByMs;
    // Later than that the next probe is early enough.
    const tellsQuiet = inUse && this.quiet === "no";
    const suspectFromMs = tellsQuiet ? this.lastEchoMs + quietMs.suspect + 1 : Number.POSITIVE_INFINITY;
    const heldUntilMs = this.heldUntilMs > 0 ? this.heldUntilMs : Number.POSITIVE_INFINITY;
    const noticeMs = this.hasNotice ? this.#nextNoticeMs : Number.POSITIVE_INFINITY;
    return Math.min(this.nextProbeMs, suspectFromMs, heldUntilMs, noticeMs);
  }

  /** Writes what is known of the connection into the cable's figures. */
  tell(stats: Float64Array, nowMs: number): void {
    stats[stat.rttMs] = this.probes.rttMs(0.5) ?? 0;
    stats[stat.rttP99Ms] = this.probes.rttMs(0.99) ?? 0;
    stats[stat.lossRatio] = this.probes.lossRatio(nowMs);
    stats[stat.probesSent] = this.probes.sentCount;
    stats[stat.probesAnswered] = this.probes.answeredCount;
    stats[stat.mtuProven] = this.mtuProven;
    stats[stat.silentMs] = nowMs - this.lastHeardMs;
  }

  /** Tells the peer that this was the last frame, and why, if the socket still takes it. */
  sayGoodbye(why: string): void {
    this.sender.control(frameType.goodbye, text(why));
    try {
      this.sender.flush();
    } catch (error) {
      // The peer is gone already.
      if (!(error instanceof SystemCallError)) throw error;
    }
  }

  /** Tells the peer what is wrong at this end; empty: nothing any more. @throws {SystemCallError} */
  sayNotice(message: string): void {
    this.sender.control(frameType.notice, text(message));
    this.sender.flush();
  }

  /** Frees what was allocated; the descriptor is the caller's. */
  free(): void {
    this.sender.free();
    this.receiver.free();
  }
}

/** The first probe and every other one proves, or proves again, one of the MTUs. */
function bytesOfProbe(sequence: number): number {
  const mtu = sequence % 2 === 1 ? undefined : proofMtus[(sequence / 2) % proofMtus.length];
  return mtu === undefined ? probeBytes.min : mtu + ethernetHeaderBytes;
}

function otherProbe(): ProtocolError {
  return new ProtocolError("the peer sent back a probe that is not the one it was sent");
}

/** The peer said why it closes. */
export class Goodbye extends Error {}

/** Why a connection ended, from what was thrown. Rethrows what is a bug. */
export function causeOf(error: unknown): CloseCause {
  if (error instanceof Goodbye) return { kind: "peer", text: error.message };
  if (error instanceof EndOfStream) return { kind: "reset", text: error.message };
  if (error instanceof ProtocolError) return { kind: "protocol", text: error.message };
  if (error instanceof SystemCallError) return { kind: "reset", text: errnoName(error.errno) };
  throw error;
}

/** A message as the payload of a control frame. */
function text(message: string): Buffer {
  return Buffer.from(message, "utf8").subarray(0, 512);
}
