import { Backoff } from "../../../lib/backoff.js";
import type { ReadyConnection } from "../handshake/dial.js";
import { reasonOf } from "./end-view.js";
import { CableFailure } from "../handshake/failure.js";
import type { CloseCause } from "../threads/cable-orders.js";

/** A connection that lived for less breaks too soon to be made again at once. */
const longMs = 2_000;
/** Short enough that TCP inside the cable, which waits twice as long each time, goes on within five seconds. */
const calm = { minMs: 200, maxMs: 2_000 } as const;

interface Entry {
  readonly connection: ReadyConnection;
  readonly settled: PromiseWithResolvers<CableFailure | undefined>;
}

/** The connections an end has given to its worker, by number. */
export class Connections {
  readonly #entries = new Map<number, Entry>();
  readonly #calm = new Backoff(calm);
  #count = 0;
  #calmUntilMs = 0;

  /** Connections made so far. */
  get count(): number {
    return this.#count;
  }

  /** Milliseconds until the next connection may be made. */
  calmMs(nowMs: number): number {
    return Math.max(0, this.#calmUntilMs - nowMs);
  }

  /** Numbers a connection. `settled` resolves when it is proven, with undefined, or closed before that, with the reason. */
  add(connection: ReadyConnection): { readonly number: number; readonly settled: Promise<CableFailure | undefined> } {
    this.#count += 1;
    const settled = Promise.withResolvers<CableFailure | undefined>();
    this.#entries.set(this.#count, { connection, settled });
    return { number: this.#count, settled: settled.promise };
  }

  find(number: number | undefined): ReadyConnection | undefined {
    return number === undefined ? undefined : this.#entries.get(number)?.connection;
  }

  proven(number: number): void {
    this.#entries.get(number)?.settled.resolve(undefined);
  }

  /** Forgets a connection that has ended and says why. */
  closed(number: number, cause: CloseCause): CableFailure {
    const failure = new CableFailure(kindOf(cause), reasonOf(cause));
    const entry = this.#entries.get(number);
    this.#entries.delete(number);
    entry?.settled.resolve(failure);
    if (entry !== undefined && cause.kind !== "local") this.#calmDown(entry.connection);
    return failure;
  }

  /** Forgets all connections: the caller has ended them. */
  closeAll(why: string): void {
    for (const { settled } of this.#entries.values()) settled.resolve(new CableFailure("lost", why));
    this.#entries.clear();
  }

  #calmDown({ sinceMs }: ReadyConnection): void {
    const nowMs = Date.now();
    if (nowMs - sinceMs >= longMs) this.#calm.reset();
    else this.#calmUntilMs = nowMs + this.#calm.nextMs();
  }
}

function kindOf({ kind }: CloseCause): CableFailure["kind"] {
  switch (kind) {
    case "peer":
      return "peer";
    case "protocol":
      return "protocol";
    case "silent":
      return "timed-out";
    case "reset":
    case "local":
      return "lost";
  }
}
