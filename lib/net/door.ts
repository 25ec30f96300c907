import type { Socket } from "node:net";
import { patientClock } from "../patient-clock.js";
import { type BucketRate, TokenBucket } from "../token-bucket.js";
import { addressGroup } from "./address-group.js";

/** Bounds of a {@link Door}. */
export interface DoorLimits {
  /** Connections that have not proven themselves, in all and from one address. */
  readonly unproven: number;
  readonly unprovenPerAddress: number;
  /** Connections in all and from one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Handshakes begun: from one address and in all. */
  readonly handshakesPerAddress: BucketRate;
  readonly handshakes: BucketRate;
  /** Time to prove itself, in ms, waiting for the handshake to begin included. */
  readonly provenWithinMs: number;
  /** When an address has too many connections, its oldest goes, proven or not, instead of the new one. */
  readonly oldestGoes: boolean;
}

interface Guest {
  readonly socket: Socket;
  readonly address: Address;
  readonly sinceMs: number;
  proven: boolean;
  /** How its handshake begins, while it waits for that. */
  proceed: (() => void) | undefined;
  /** What it has sent so far, until its handshake begins. */
  received: Buffer;
  /** It has said enough for a handshake to begin. */
  saidHello: boolean;
}

interface Address {
  readonly name: string;
  readonly handshakes: TokenBucket;
  /** Oldest first. */
  readonly unproven: Set<Guest>;
  readonly proven: Set<Guest>;
}

/** Addresses of which the rate is remembered when they have no connection; others begin anew. */
const rememberedAddresses = 10_000;
const tickMs = 10;

/**
 * The door of a listener whose callers have yet to say who they are. It bounds how many there are, how long they take and how fast
 * they come, by address and in all, so that whoever only knocks costs little memory, few descriptors and little time. A handshake
 * over the rate begins later. Where there are too many strangers the oldest of the address that has most goes: an honest handshake
 * takes milliseconds, so a newcomer is hardly ever kept out by those that only wait.
 */
export class Door {
  readonly #limits: DoorLimits;
  readonly #now: () => number;
  readonly #addresses = new Map<string, Address>();
  /** Those from which unproven connections come. */
  readonly #strangers = new Set<Address>();
  readonly #guests = new Map<Socket, Guest>();
  readonly #handshakes: TokenBucket;
  #unproven = 0;
  #turnedAway = 0;
  #timer: NodeJS.Timeout | undefined;
  /** What a guest's time to say who it is runs by. */
  readonly #patience: () => number;

  /** @param now milliseconds of a clock that never goes back. @param patience of the clock by which a guest is late. */
  constructor(limits: DoorLimits, now: () => number = () => performance.now(), patience = patientClock(now)) {
    this.#limits = limits;
    this.#now = now;
    this.#patience = patience;
    this.#handshakes = new TokenBucket(limits.handshakes, now);
  }

  /** Connections that were closed here because there were too many or they took too long. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** Connections there are now, and how many of them have not proven themselves. */
  get counts(): { readonly connections: number; readonly unproven: number } {
    return { connections: this.#guests.size, unproven: this.#unproven };
  }

  /** Takes a TLS connection of which nothing was read. `proceed` begins its handshake: at once, later, or never when it is closed. */
  enter(socket: Socket, proceed: () => void): void {
    const address = this.#addressOf(addressGroup(socket.remoteAddress));
    if (!this.#makeRoom(address)) {
      this.#turnedAway += 1;
      socket.resetAndDestroy();
      return;
    }
    const received = Buffer.alloc(0);
    const guest: Guest = {
      socket,
      address,
      sinceMs: this.#patience(),
      proven: false,
      proceed,
      received,
      saidHello: false,
    };
    this.#guests.set(socket, guest);
    address.unproven.add(guest);
    this.#strangers.add(address);
    this.#unproven += 1;
    socket.once("close", () => this.#remove(guest));
    // Whoever takes the connection over listens for itself; until then nobody would.
    socket.on("error", () => socket.destroy());
    socket.on("readable", () => this.#listen(guest));
    if (this.#unproven > 0) this.#timer ??= setInterval(() => this.#tick(), tickMs).unref();
  }

  /** The peer has said who it is. */
  proven(socket: Socket): void {
    const guest = this.#guests.get(socket);
    if (guest === undefined || guest.proven) return;
    guest.proven = true;
    this.#noStranger(guest);
    guest.address.proven.add(guest);
  }

  /** Closes what has not proven itself. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const guest of [...this.#guests.values()]) if (!guest.proven) guest.socket.destroy();
  }

  #makeRoom(address: Address): boolean {
    const { unproven, unprovenPerAddress, connections, connectionsPerAddress, oldestGoes } = this.#limits;
    if (address.unproven.size >= unprovenPerAddress) this.#turnAway(address.unproven);
    else if (this.#unproven >= unproven) this.#turnAway(this.#largest().unproven);
    const isFull = (): boolean =>
      address.unproven.size + address.proven.size >= connectionsPerAddress || this.#guests.size >= connections;
    if (isFull()) this.#turnAway(address.unproven);
    if (isFull() && oldestGoes) this.#turnAway(address.proven);
    return !isFull();
  }

  #largest(): Address {
    return [...this.#strangers].reduce((most, each) => (each.unproven.size > most.unproven.size ? each : most));
  }

  #turnAway(guests: ReadonlySet<Guest>): void {
    const [oldest] = guests;
    if (oldest === undefined) return;
    this.#turnedAway += 1;
    this.#remove(oldest);
    oldest.socket.destroy();
  }

  /** Those who only connect get no handshake: it is what costs. */
  #listen(guest: Guest): void {
    const { socket } = guest;
    // Whoever waits for its turn has said enough: the rest stays with the system, which bounds it, until somebody reads.
    if (guest.saidHello || guest.proceed === undefined) return;
    const chunk: unknown = socket.read();
    if (!(chunk instanceof Buffer)) return;
    guest.received = Buffer.concat([guest.received, chunk]);
    const hello = judgeHello(guest.received);
    if (hello === "none") {
      this.#turnedAway += 1;
      socket.destroy();
    }
    guest.saidHello = hello === "whole";
    this.#begin(guest);
  }

  #begin(guest: Guest): boolean {
    const { proceed, address, socket } = guest;
    if (proceed === undefined || !guest.saidHello || socket.destroyed) return false;
    if (this.#handshakes.level <= 0 || !address.handshakes.take()) return false;
    this.#handshakes.charge(1);
    guest.proceed = undefined;
    socket.removeAllListeners("readable");
    socket.unshift(guest.received);
    guest.received = Buffer.alloc(0);
    proceed();
    return true;
  }

  #tick(): void {
    const late = this.#patience() - this.#limits.provenWithinMs;
    for (const { unproven } of [...this.#strangers]) {
      for (const guest of [...unproven]) {
        if (guest.sinceMs > late) break;
        this.#turnAway(unproven);
      }
    }
    // One of each address in turn, the oldest first as long as each has its turn within a second. When there are more it is the
    // newest: under a flood an old one is likely to have been given up by its peer.
    const queues = [...this.#strangers].map(({ unproven }) =>
      [...unproven].filter(({ proceed }) => proceed !== undefined),
    );
    for (let begun = queues.length > 0; begun; ) {
      begun = false;
      for (const queue of queues) {
        const guest = queue.length > this.#limits.handshakesPerAddress.perSecond ? queue.pop() : queue.shift();
        if (guest !== undefined && this.#begin(guest)) begun = true;
      }
    }
    if (this.#strangers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #addressOf(name: string): Address {
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    if (this.#addresses.size >= rememberedAddresses) {
      for (const [other, { unproven, proven }] of this.#addresses) {
        if (unproven.size + proven.size === 0) this.#addresses.delete(other);
      }
    }
    const address: Address = {
      name,
      handshakes: new TokenBucket(this.#limits.handshakesPerAddress, this.#now),
      unproven: new Set(),
      proven: new Set(),
    };
    this.#addresses.set(name, address);
    return address;
  }

  #remove(guest: Guest): void {
    if (!this.#guests.delete(guest.socket)) return;
    const { address } = guest;
    this.#noStranger(guest);
    address.proven.delete(guest);
    if (address.unproven.size + address.proven.size === 0 && address.handshakes.isFull) {
      this.#addresses.delete(address.name);
    }
  }

  #noStranger(guest: Guest): void {
    const { address } = guest;
    if (!address.unproven.delete(guest)) return;
    this.#unproven -= 1;
    if (address.unproven.size === 0) this.#strangers.delete(address);
  }
}

/** Record type "handshake" and the largest record (RFC 8446, section 5.1). */
const [handshakeRecord, recordHeaderBytes, maxRecordBytes] = [22, 5, 16_384];

/** Whether bytes begin with a whole first record of a TLS handshake, may still do, or do not. */
export function judgeHello(bytes: Buffer): "whole" | "partial" | "none" {
  if (bytes.length === 0) return "partial";
  if (bytes[0] !== handshakeRecord) return "none";
  if (bytes.length < recordHeaderBytes) return "partial";
  const length = bytes.readUInt16BE(3);
  if (length === 0 || length > maxRecordBytes) return "none";
  return bytes.length >= recordHeaderBytes + length ? "whole" : "partial";
}
