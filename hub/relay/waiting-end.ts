import type { Socket } from "node:net";
import { RelayStatus, type RelayStatusCode } from "../../lib/relay-preamble.js";
import type { RelayRole } from "../../lib/relay-role.js";

/** A connection that has proven whose it is. */
export interface RelayedEnd {
  readonly socket: Socket;
  readonly role: RelayRole;
  /** Id of its host. */
  readonly host: string;
  /** What it proved itself with. */
  readonly ticket: Buffer;
}

/** An end that waits at the relay for the other. */
export class WaitingEnd {
  readonly end: RelayedEnd;
  readonly #timer: NodeJS.Timeout;
  readonly #onGone: (waiting: WaitingEnd) => void;
  // Nothing may come before the answer; that it is read at all is what tells that the end has gone.
  readonly #onEvent = (): void => this.#drop();

  /** @param onGone told when it has left for another reason than {@link take}. */
  constructor(end: RelayedEnd, parkMs: number, onGone: (waiting: WaitingEnd) => void) {
    this.end = end;
    this.#onGone = onGone;
    this.#timer = setTimeout(() => this.refuse(RelayStatus.TimedOut), parkMs);
    for (const event of ["data", "end", "close"]) end.socket.once(event, this.#onEvent);
  }

  /** Stops waiting: the socket is the caller's. */
  take(): RelayedEnd {
    clearTimeout(this.#timer);
    for (const event of ["data", "end", "close"]) this.end.socket.off(event, this.#onEvent);
    return this.end;
  }

  /** Tells the end why it must go, and closes. */
  refuse(status: RelayStatusCode): void {
    refuse(this.take().socket, status);
    this.#onGone(this);
  }

  #drop(): void {
    this.take().socket.destroy();
    this.#onGone(this);
  }
}

/** Answers with a status other than Paired and closes. */
export function refuse(socket: Socket, status: RelayStatusCode): void {
  socket.end(Buffer.from([status]), () => socket.destroySoon());
}
