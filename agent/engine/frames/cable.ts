import { close, type NativeMemory } from "../../../lib/libc.js";
import type { CableOptions } from "./cable-options.js";
import { Connection, causeOf, Goodbye } from "./connection.js";
import { frameType, ProtocolError } from "./frame.js";
import type { SendOutcome } from "../impair/pipeline.js";
import { Way, type WayOrder } from "../impair/way.js";
import { widest } from "./queue-limits.js";
import { stat } from "./stats.js";
import { drainTap, setTapOffload } from "./tap.js";
import type { CloseCause, EstablishedConnection } from "../threads/cable-orders.js";

/** A connection on which nothing was heard for so long is dead. A path that loses much is silent for seconds now and then. */
const silenceMs = 8_000;
/** A connection that is to take another's place is given up when frames have not crossed it within this time. */
const proveMs = 5_000;
/** Longest time for what is under way on a connection that is left. */
const leaveMs = 2_000;
/** Longest time that frames of a new connection wait for those of the old one, so that they keep their order. */
const holdMs = 300;

/**
 * Sockets a cable may have: the connection that frames are sent on, one that is to take its place as soon as frames have crossed it
 * both ways, and one that was left and on which the peer's last frames may still come.
 */
export const socketPlaces = 3;
const [current, next, leaving] = [0, 1, 2] as const;

/** One cable in a worker: a tap and, when up, connections. All methods run in the worker's thread and never wait. */
export class Cable {
  readonly id: number;
  readonly tapName: string;
  readonly stats: Float64Array;
  readonly #options: CableOptions;
  #tapLost = false;
  #queueFrames: number = widest.tapFrames;
  /** What the lan's frames go through before they are sent, if anything. */
  #impaired: Way | undefined;
  readonly #places: (Connection | undefined)[] = new Array<Connection | undefined>(socketPlaces).fill(undefined);

  constructor(options: CableOptions) {
    this.#options = options;
    this.id = options.id;
    this.tapName = options.tapName;
    this.stats = options.stats;
  }

  /** Tap to wait for; -1 when it must not be read now. */
  get readableTapFd(): number {
    // What is impaired has a bounded queue of its own.
    return this.#tapLost || (this.blocked && this.#impaired === undefined) ? -1 : this.#options.tapFd;
  }

  /** Bytes of the lan's frames that were taken and delivered so far. */
  get movedBytes(): number {
    return (this.stats[stat.txBytes] ?? 0) + (this.stats[stat.rxBytes] ?? 0);
  }

  /** There is a connection. */
  get connected(): boolean {
    return this.#places[current] !== undefined;
  }

  /** The socket must take more before the tap is read again. */
  get blocked(): boolean {
    return this.isBlocked(current);
  }

  /** When an impairment has something to do next. */
  get impairedDueMs(): number {
    return this.#impaired?.nextMs ?? Number.POSITIVE_INFINITY;
  }

  /** Impairs the lan's frames before they are sent, from now on; undefined: no more, and what waits is lost. */
  impair(order: WayOrder | undefined, nowMs: number): void {
    if (order === undefined) {
      this.#impaired?.free();
      this.#impaired = undefined;
    } else {
      const sink = { send: this.#sendImpaired.bind(this) };
      this.#impaired ??= new Way({
        tapFd: this.#options.tapFd,
        counters: this.#options.counters,
        sink,
        pool: this.#options.pool,
      });
      const way = this.#impaired;
      this.#whileImpaired(() => way.set(order, 0, { nowMs, epochMs: Date.now() }));
    }
    this.#guard(this.#places[current], () => this.#setOffload());
  }

  /** Socket of a place to wait for; -1 when there is none or it must wait for an older one. */
  socketFd(place: number): number {
    const connection = this.#places[place];
    return connection === undefined || connection.heldUntilMs > 0 ? -1 : connection.fd;
  }

  /** The socket of a place is to be told when it takes more. */
  isBlocked(place: number): boolean {
    return this.#places[place]?.sender.blocked ?? false;
  }

  /** Takes over a connection. When there is one already, the new one takes its place once frames have crossed it both ways. */
  attach(number: number, established: EstablishedConnection, nowMs: number): void {
    let connection: Connection;
    try {
      if (!this.connected) this.#setOffload(established);
      connection = new Connection({
        ...{ number, established, nowMs, tapFd: this.#options.tapFd, stats: this.stats },
        onControl: (from, type, payload) => this.#control(from, type, payload),
      });
    } catch (error) {
      close(established.fd);
      this.#options.report({ type: "closed", cable: this.id, connection: number, cause: causeOf(error) });
      return;
    }
    if (this.connected) {
      this.#end(this.#places[next], "replaced by a newer connection");
      this.#places[next] = connection;
    } else {
      this.#places[current] = connection;
      connection.tell(this.stats, nowMs);
    }
    this.#guard(connection, () => connection.receiver.begin());
  }

  /** Closes the connections, if any, after telling the peer why. */
  detach(goodbye: string): void {
    for (const connection of [...this.#places].reverse()) this.#end(connection, goodbye);
  }

  /** Tells the peer what is wrong at this end; empty: nothing any more. */
  notice(message: string): void {
    for (const place of [current, next]) {
      const connection = this.#places[place];
      this.#guard(connection, () => connection?.sayNotice(message));
    }
  }

  /** Sends so many probes in quick succession, for whoever wants to know the connection now. */
  probe(count: number, nowMs: number): void {
    this.#places[current]?.burst(count, nowMs);
  }

  /** The tap has frames. */
  onTap(nowMs: number): void {
    const connection = this.#places[current];
    if (connection === undefined) {
      const dropped = drainTap(this.#options.tapFd, this.#options.scratch);
      this.stats[stat.droppedDownFrames] = (this.stats[stat.droppedDownFrames] ?? 0) + dropped;
    } else if (this.#impaired !== undefined) this.#whileImpaired((way) => way.onTap(nowMs));
    else this.#guard(connection, () => connection.sender.turn());
  }

  /** The tap is gone; the cable is of no use any more but for its removal. */
  onTapLost(): void {
    this.#tapLost = true;
    this.#options.report({ type: "tapLost", cable: this.id });
  }

  /** The socket of a place takes more. */
  onWritable(place: number): void {
    const connection = this.#places[place];
    this.#guard(connection, () => {
      connection?.sender.flush();
      this.#endIfLeft(connection);
    });
    if (place === current) this.#whileImpaired((way) => way.onTime(performance.now()));
  }

  /** The socket of a place has bytes, or is broken. True when {@link onTime} is due earlier than it said. */
  onReadable(place: number, nowMs: number): boolean {
    const connection = this.#places[place];
    if (connection === undefined) return false;
    this.#guard(connection, () => {
      connection.lastHeardMs = nowMs;
      const before = this.stats[stat.rxFrames];
      connection.receiver.turn();
      if (this.stats[stat.rxFrames] !== before && !connection.wasHeld && this.#olderMayCome(connection)) {
        connection.wasHeld = true;
        connection.heldUntilMs = nowMs + holdMs;
      }
      // Answers to probes that came in.
      connection.sender.flush();
    });
    return connection.heldUntilMs > 0 || connection.hasNotice;
  }

  /** Does what is due and returns when the next is, on the clock of `nowMs`. */
  onTime(nowMs: number): number {
    if (nowMs >= this.impairedDueMs) this.#whileImpaired((way) => way.onTime(nowMs));
    let dueMs = Number.POSITIVE_INFINITY;
    for (const connection of [...this.#places]) {
      this.#guard(connection, () => this.#tick(connection, nowMs));
      if (connection !== undefined) dueMs = Math.min(dueMs, connection.dueMs(connection === this.#places[current]));
    }
    return Math.min(dueMs, this.impairedDueMs);
  }

  /** Fits queues to what the connection takes; call once a second. Returns what the tap is to hold from now on, if that changes. */
  tune(nowMs: number): number | undefined {
    const connection = this.#places[current];
    let frames: number = widest.tapFrames;
    this.#guard(connection, () => {
      frames = connection?.sender.tune(nowMs) ?? frames;
    });
    // To change a queue costs more than a small difference is worth.
    if (Math.abs(frames - this.#queueFrames) <= this.#queueFrames / 5) return undefined;
    this.#queueFrames = frames;
    return frames;
  }

  /** Closes the connections and lets go of the tap, which the engine then closes: that takes the kernel long. */
  remove(goodbye: string): void {
    this.detach(goodbye);
    this.#impaired?.free();
    this.#options.report({ type: "released", cable: this.id });
  }

  /** Lets the impairment, if there is one, do something and sends what comes of it. */
  #whileImpaired(work: (way: Way) => void): void {
    const way = this.#impaired;
    if (way === undefined) return;
    const connection = this.#places[current];
    if (connection === undefined) work(way);
    else {
      this.#guard(connection, () => {
        work(way);
        connection.sender.flush();
      });
    }
  }

  /** Without a connection the lan's frames go nowhere. */
  #sendImpaired(memory: NativeMemory, offset: number, length: number): SendOutcome {
    const connection = this.#places[current];
    if (connection === undefined) return "refused";
    return connection.sender.offer(memory, offset, length) ? "sent" : "later";
  }

  /** Tells the kernel how the tap's frames are to come. @param established of the connection they are sent on. */
  #setOffload(established: EstablishedConnection | undefined = this.#places[current]?.established): void {
    if (established === undefined) return;
    setTapOffload(this.#options.tapFd, this.#impaired?.needsSingleFrames === true ? "none" : established.offload);
  }

  #tick(connection: Connection | undefined, nowMs: number): void {
    if (connection === undefined) return;
    if (nowMs >= connection.heldUntilMs) connection.heldUntilMs = 0;
    const silentMs = nowMs - connection.lastHeardMs;
    if (nowMs >= connection.leaveByMs) this.#close(connection, { kind: "local", text: "left" });
    else if (silentMs > silenceMs) {
      const why = `nothing was heard from the peer for ${Math.round(silentMs / 1000)} s`;
      this.#close(connection, { kind: "silent", text: why });
    } else if (connection === this.#places[next] && nowMs - connection.attachedMs > proveMs) {
      this.#end(connection, "frames as large as a lan's do not cross this connection");
    } else if (nowMs >= connection.nextProbeMs && connection !== this.#places[leaving]) {
      connection.probe(nowMs);
      if (connection === this.#places[current]) connection.tell(this.stats, nowMs);
    }
    if (connection === this.#places[current]) this.#tellQuiet(connection, nowMs);
    this.#tellNotice(connection, nowMs);
  }

  #tellNotice(connection: Connection, nowMs: number): void {
    const text = connection.takeNotice(nowMs);
    if (text === undefined) return;
    this.#options.report({ type: "notice", cable: this.id, connection: connection.number, text });
  }

  #tellQuiet(connection: Connection, nowMs: number): void {
    if (!connection.becomesQuiet(nowMs)) return;
    this.#options.report({ type: "quiet", cable: this.id, connection: connection.number, quiet: connection.quiet });
  }

  #guard(connection: Connection | undefined, work: () => void): void {
    if (connection === undefined) return;
    try {
      work();
    } catch (error) {
      const cause = causeOf(error);
      if (cause.kind === "protocol") connection.sayGoodbye(cause.text);
      this.#close(connection, cause);
    }
  }

  /** Says goodbye on a connection and closes it. */
  #end(connection: Connection | undefined, goodbye: string): void {
    if (connection === undefined) return;
    connection.sayGoodbye(goodbye);
    this.#close(connection, { kind: "local", text: goodbye });
  }

  #close(connection: Connection, cause: CloseCause): void {
    const place = this.#places.indexOf(connection);
    if (place < 0) return;
    this.#places[place] = undefined;
    connection.free();
    close(connection.fd);
    this.#options.report({ type: "closed", cable: this.id, connection: connection.number, cause });
    const [first, second] = this.#places;
    if (place === current) {
      this.#replaceCurrent(cause);
      // What was refused for now goes on with the connection that follows, or nowhere: it must not come out late.
      this.#whileImpaired((way) => way.onTime(performance.now()));
    }
    // What the peer has left cannot be gone back to.
    if (place === next && first?.peerDone === true) this.#close(first, cause);
    if (place !== next) this.#release(first ?? second);
  }

  /** The connection that frames were sent on is gone: the one that was to follow takes its place, proven or not. */
  #replaceCurrent(cause: CloseCause): void {
    const [, following, left] = this.#places;
    if (following !== undefined) {
      this.#places[next] = undefined;
      this.#places[current] = following;
      this.#guard(following, () => this.#setOffload());
    } else if (left !== undefined) this.#close(left, cause);
  }

  /** Sends on `following` from now on; what is under way on the old connection still comes. */
  #moveTo(following: Connection, nowMs: number): void {
    const left = this.#places[current];
    if (left === undefined) return;
    const before = this.#places[leaving];
    if (before !== undefined) this.#close(before, { kind: "local", text: "left" });
    this.#places[current] = following;
    this.#places[next] = undefined;
    this.#places[leaving] = left;
    this.#setOffload();
    left.leaveByMs = nowMs + leaveMs;
    left.sayGoodbye("moved to another connection");
    this.#endIfLeft(left);
  }

  /** Closes a connection that was left once both ends have sent their last frame on it. */
  #endIfLeft(connection: Connection | undefined): void {
    if (connection === undefined || connection !== this.#places[leaving]) return;
    if (connection.peerDone && !connection.sender.blocked) this.#close(connection, { kind: "local", text: "left" });
  }

  /** The peer may still send on an older connection than this. */
  #olderMayCome(connection: Connection): boolean {
    return this.#places.some((other) => other !== undefined && other.number < connection.number && !other.peerDone);
  }

  #release(connection: Connection | undefined): void {
    if (connection !== undefined) connection.heldUntilMs = 0;
  }

  #control(connection: Connection, type: number, payload: Buffer): void {
    switch (type) {
      case frameType.probe:
        connection.sender.control(frameType.echo, payload);
        return;
      case frameType.echo:
        if (connection.takeEcho(payload)) this.#onEcho(connection);
        return;
      case frameType.notice:
        connection.putNotice(payload.toString("utf8"));
        this.#tellNotice(connection, performance.now());
        return;
      case frameType.goodbye:
        this.#onGoodbye(connection, payload.toString("utf8"));
        return;
      default:
        throw new ProtocolError(`the peer sent a frame of type ${type} on an open connection`);
    }
  }

  #onEcho(connection: Connection): void {
    const nowMs = performance.now();
    if (connection.provable && !connection.proven) {
      connection.proven = true;
      if (connection === this.#places[next]) this.#moveTo(connection, nowMs);
      this.#options.report({ type: "proven", cable: this.id, connection: connection.number });
    }
    if (connection !== this.#places[current]) return;
    connection.tell(this.stats, nowMs);
    this.#tellQuiet(connection, nowMs);
  }

  /** The peer sends no more here: because it has moved to another connection, or because it ends this one. */
  #onGoodbye(connection: Connection, why: string): void {
    connection.peerDone = true;
    const [first, second, left] = this.#places;
    this.#release(first);
    this.#release(second);
    if (connection === first && second === undefined) throw new Goodbye(why);
    if (connection === second) throw new Goodbye(why);
    // A connection that is being read is closed by what is thrown, never in the middle of it.
    if (connection === left && !connection.sender.blocked) throw new Goodbye(why);
  }
}
