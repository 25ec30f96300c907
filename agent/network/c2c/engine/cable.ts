import { dataBytes, frameType, probeBytes, ProtocolError } from "./frame.js";
import { close, errnoName, type NativeMemory, read, SystemCallError } from "./native.js";
import { ProbeBook } from "./probe-book.js";
import { EndOfStream, Receiver } from "./receiver.js";
import { Sender } from "./sender.js";
import { widest } from "./queue-limits.js";
import { stat } from "./stats.js";
import { setTapOffload } from "./tap.js";
import type { CloseCause, EstablishedConnection, WorkerEvent } from "./worker-protocol.js";

/** Between probes of a connection that works, and of one that is not yet proven. */
const probeIntervalMs = 1_000;
const eagerProbeIntervalMs = 100;
const probeGridMs = 100;
/** A connection on which nothing was heard for so long is dead. */
const silenceMs = 5_000;
/** Frames thrown away at once while the cable is down. */
const drainFrames = 64;
/** MTUs to be proven, each by a probe padded to that MTU plus the ethernet header. The first is that of every lan. */
const proofMtus = [1_500, 9_000] as const;
const ethernetHeaderBytes = 14;

interface Connection {
  readonly number: number;
  readonly fd: number;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly probes: ProbeBook;
  lastHeardMs: number;
  nextProbeMs: number;
  proven: boolean;
}

/** One cable in a worker: a tap and, when up, a connection. All methods run in the worker's thread and never wait. */
export class Cable {
  readonly id: number;
  readonly tapName: string;
  readonly stats: Float64Array;
  readonly #tapFd: number;
  #tapLost = false;
  #queueFrames: number = widest.tapFrames;
  readonly #report: (event: WorkerEvent) => void;
  readonly #scratch: NativeMemory;
  #connection: Connection | undefined;

  /** @param options.scratch memory for at least one frame that several cables may share. */
  constructor(options: {
    readonly id: number;
    readonly tapFd: number;
    readonly tapName: string;
    readonly stats: Float64Array;
    readonly scratch: NativeMemory;
    readonly report: (event: WorkerEvent) => void;
  }) {
    this.id = options.id;
    this.#tapFd = options.tapFd;
    this.tapName = options.tapName;
    this.stats = options.stats;
    this.#scratch = options.scratch;
    this.#report = options.report;
  }

  /** Tap to wait for; -1 when it must not be read now. */
  get readableTapFd(): number {
    return this.#tapLost || this.blocked ? -1 : this.#tapFd;
  }

  /** Socket to wait for; -1 when down. */
  get socketFd(): number {
    return this.#connection?.fd ?? -1;
  }

  /** The socket must take more before the tap is read again. */
  get blocked(): boolean {
    return this.#connection?.sender.blocked ?? false;
  }

  /** Takes over a connection; one that is there is closed first. */
  attach(number: number, established: EstablishedConnection, nowMs: number): void {
    this.detach("replaced by a new connection");
    try {
      setTapOffload(this.#tapFd, established.offload);
      const shared = { established, tapFd: this.#tapFd, stats: this.stats };
      const sender = new Sender(shared);
      const receiver = new Receiver({ ...shared, onControl: (type, payload) => this.#control(type, payload) });
      this.#connection = {
        number,
        fd: established.fd,
        sender,
        receiver,
        probes: new ProbeBook(),
        lastHeardMs: nowMs,
        nextProbeMs: nowMs,
        proven: false,
      };
      this.stats[stat.mtuProven] = 0;
      receiver.begin();
    } catch (error) {
      if (this.#connection !== undefined) this.#fail(error);
      else {
        close(established.fd);
        this.#report({ type: "closed", cable: this.id, connection: number, cause: causeOf(error) });
      }
    }
  }

  /** Closes the connection, if any, after telling the peer why. */
  detach(goodbye: string): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.sender.control(frameType.goodbye, text(goodbye));
    try {
      connection.sender.flush();
    } catch (error) {
      // The peer is gone already.
      if (!(error instanceof SystemCallError)) throw error;
    }
    this.#close({ kind: "local", text: goodbye });
  }

  /** Tells the peer what is wrong at this end; empty: nothing any more. */
  notice(message: string): void {
    this.#guard((connection) => {
      connection.sender.control(frameType.notice, text(message));
      connection.sender.flush();
    });
  }

  /** The tap has frames. */
  onTap(): void {
    if (this.#connection === undefined) this.#drain();
    else this.#guard((connection) => connection.sender.turn());
  }

  /** The tap is gone; the cable is of no use any more but for its removal. */
  onTapLost(): void {
    this.#tapLost = true;
    this.#report({ type: "tapLost", cable: this.id });
  }

  /** The socket takes more. */
  onWritable(): void {
    this.#guard((connection) => connection.sender.flush());
  }

  /** The socket has bytes, or is broken. */
  onReadable(nowMs: number): void {
    this.#guard((connection) => {
      connection.lastHeardMs = nowMs;
      connection.receiver.turn();
      // Answers to probes that came in.
      connection.sender.flush();
    });
  }

  /** Does what is due and returns when the next is, on the clock of `nowMs`. */
  onTime(nowMs: number): number {
    this.#guard((connection) => {
      const silentMs = nowMs - connection.lastHeardMs;
      this.stats[stat.silentMs] = silentMs;
      if (silentMs > silenceMs) {
        this.#close({ kind: "silent", text: `nothing was heard from the peer for ${Math.round(silentMs / 1000)} s` });
        return;
      }
      if (nowMs >= connection.nextProbeMs) this.#probe(connection, nowMs);
    });
    return this.#connection?.nextProbeMs ?? Number.POSITIVE_INFINITY;
  }

  /** Fits queues to what the connection takes; call once a second. Returns what the tap is to hold from now on, if that changes. */
  tune(nowMs: number): number | undefined {
    const connection = this.#connection;
    let frames: number = widest.tapFrames;
    this.#guard(() => {
      frames = connection?.sender.tune(nowMs) ?? frames;
    });
    // To change a queue costs more than a small difference is worth.
    if (Math.abs(frames - this.#queueFrames) <= this.#queueFrames / 5) return undefined;
    this.#queueFrames = frames;
    return frames;
  }

  /** Closes the connection and lets go of the tap, which the engine then closes: that takes the kernel long. */
  remove(goodbye: string): void {
    this.detach(goodbye);
    this.#report({ type: "released", cable: this.id });
  }

  #guard(work: (connection: Connection) => void): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      work(connection);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const cause = causeOf(error);
    if (cause.kind === "protocol") this.#sayGoodbye(cause.text);
    this.#close(cause);
  }

  #sayGoodbye(why: string): void {
    try {
      this.#connection?.sender.control(frameType.goodbye, text(why));
      this.#connection?.sender.flush();
    } catch {
      // It was a courtesy; the connection is closed in any case.
    }
  }

  #close(cause: CloseCause): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    connection.sender.free();
    connection.receiver.free();
    close(connection.fd);
    this.#report({ type: "closed", cable: this.id, connection: connection.number, cause });
  }

  #probe(connection: Connection, nowMs: number): void {
    connection.nextProbeMs = nowMs + eagerProbeIntervalMs;
    if (connection.proven) {
      // On a common grid, so that many idle cables wake their thread a few times a second only.
      connection.nextProbeMs = Math.ceil((nowMs + probeIntervalMs) / probeGridMs) * probeGridMs;
    }
    const sequence = connection.probes.sent(nowMs);
    // Every further probe proves, or proves again, one of the MTUs.
    const mtu = sequence % 2 === 0 ? undefined : proofMtus[((sequence - 1) / 2) % proofMtus.length];
    const payload = Buffer.alloc(mtu === undefined ? probeBytes.min : mtu + ethernetHeaderBytes, sequence & 255);
    payload.writeDoubleBE(nowMs, 0);
    payload.writeUInt32BE(sequence, 8);
    connection.sender.control(frameType.probe, payload);
    connection.sender.flush();
    this.stats[stat.lossRatio] = connection.probes.lossRatio(nowMs);
  }

  #control(type: number, payload: Buffer): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    switch (type) {
      case frameType.probe:
        connection.sender.control(frameType.echo, payload);
        return;
      case frameType.echo:
        this.#echo(connection, payload);
        return;
      case frameType.notice:
        this.#report({ type: "notice", cable: this.id, connection: connection.number, text: payload.toString("utf8") });
        return;
      case frameType.goodbye:
        throw new Goodbye(payload.toString("utf8"));
      default:
        throw new ProtocolError(`the peer sent a frame of type ${type} on an open connection`);
    }
  }

  #echo(connection: Connection, payload: Buffer): void {
    const sequence = payload.readUInt32BE(8);
    const nowMs = performance.now();
    if (!connection.probes.echoed(sequence, nowMs)) return;
    const intact = payload.subarray(probeBytes.min).every((byte) => byte === (sequence & 255));
    if (!intact) throw new ProtocolError("the peer sent back a probe that is not the one it was sent");
    const { stats } = this;
    stats[stat.rttMs] = connection.probes.rttMs(0.5) ?? 0;
    stats[stat.rttP99Ms] = connection.probes.rttMs(0.99) ?? 0;
    const mtu = payload.length - ethernetHeaderBytes;
    if (payload.length > probeBytes.min && mtu > (stats[stat.mtuProven] ?? 0)) stats[stat.mtuProven] = mtu;
    if (!connection.proven && (stats[stat.mtuProven] ?? 0) >= proofMtus[0]) {
      connection.proven = true;
      this.#report({ type: "proven", cable: this.id, connection: connection.number });
    }
  }

  /** While the cable is down the lan's frames go nowhere, and must not come out late. */
  #drain(): void {
    let dropped = 0;
    while (dropped < drainFrames && read(this.#tapFd, this.#scratch.address, dataBytes.max) > 0) dropped += 1;
    this.stats[stat.droppedDownFrames] = (this.stats[stat.droppedDownFrames] ?? 0) + dropped;
  }
}

/** The peer said why it closes. */
class Goodbye extends Error {}

function causeOf(error: unknown): CloseCause {
  if (error instanceof Goodbye) return { kind: "peer", text: error.message };
  if (error instanceof EndOfStream) return { kind: "reset", text: error.message };
  if (error instanceof ProtocolError) return { kind: "protocol", text: error.message };
  if (error instanceof SystemCallError) return { kind: "reset", text: errnoName(error.errno) };
  throw error;
}

function text(message: string): Buffer {
  return Buffer.from(message, "utf8").subarray(0, 512);
}
