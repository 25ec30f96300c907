import type { Duplex } from "node:stream";
import { unavailable } from "../../lib/errors.js";

/** A connection that an agent has opened. */
export interface Parked {
  readonly socket: Duplex;
  /** Of its certificate. */
  readonly serial: string | undefined;
  /** Which process of the host's agent opened it; "": an agent that does not tell. */
  readonly boot: string;
  /** "ip:port" it came from. */
  readonly peer: string;
}

const maxPerHost = 4;

/** Connections that agents have opened and that wait for the hub to use them; a few per host, the oldest go first. */
export class ParkedSockets {
  readonly #byHost = new Map<string, Parked[]>();
  readonly #waiting = new Map<string, (parked: Parked) => void>();

  /** Keeps a socket until it is taken or closes. */
  park(host: string, parked: Parked): void {
    const taker = this.#waiting.get(host);
    if (taker !== undefined) {
      this.#waiting.delete(host);
      taker(parked);
      return;
    }
    const sockets = this.#byHost.get(host) ?? [];
    this.#byHost.set(host, sockets);
    sockets.push(parked);
    parked.socket.once("close", () => this.#remove(host, parked.socket));
    if (sockets.length > maxPerHost) sockets.shift()?.socket.destroy();
  }

  /** Gives the host's newest socket, waiting for one if need be. One waiter per host. @throws {ZorError} UNAVAILABLE after `timeoutMs` or when aborted. */
  async take(host: string, timeoutMs: number, signal: AbortSignal): Promise<Parked> {
    const sockets = this.#byHost.get(host) ?? [];
    for (let parked = sockets.pop(); parked !== undefined; parked = sockets.pop()) {
      // One that was closed just now has not been removed yet.
      if (!parked.socket.destroyed) return parked;
    }
    const { promise, resolve, reject } = Promise.withResolvers<Parked>();
    this.#waiting.set(host, resolve);
    const giveUp = (): void =>
      reject(unavailable("NOT_DIALLED_IN", `hosts/${host}`, "the agent dials the hub, and has no connection open now"));
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      if (this.#waiting.get(host) === resolve) this.#waiting.delete(host);
    }
  }

  /** Closes a host's sockets that another process than this one has opened. */
  keepOnly(host: string, boot: string): void {
    const others = (this.#byHost.get(host) ?? []).filter((parked) => parked.boot !== "" && parked.boot !== boot);
    for (const { socket } of others) socket.destroy();
  }

  /** Closes the sockets whose certificate is no longer good. */
  dropRevoked(isRevoked: (serial: string) => boolean): void {
    for (const { socket, serial } of [...this.#byHost.values()].flat()) {
      if (serial !== undefined && isRevoked(serial)) socket.destroy();
    }
  }

  /** Closes all. */
  close(): void {
    for (const { socket } of [...this.#byHost.values()].flat()) socket.destroy();
    this.#byHost.clear();
  }

  #remove(host: string, socket: Duplex): void {
    const left = (this.#byHost.get(host) ?? []).filter((parked) => parked.socket !== socket);
    if (left.length === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, left);
  }
}
