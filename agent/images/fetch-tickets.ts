import { createHash } from "node:crypto";

/** What a ticket is for. */
export interface FetchTicket {
  /** Digest of the content, in hexadecimal. */
  readonly sha256: string;
  /** Id of the host that may read it. */
  readonly peer: string;
}

const maxTickets = 256;

/**
 * Tickets by which other hosts read contents of this one: each good once, for one host, for one content, for a while. Only digests of them
 * are kept, so that finding one tells nothing by its time.
 */
export class FetchTickets {
  readonly #tickets = new Map<string, FetchTicket & { readonly untilMs: number }>();

  /** @returns false when there are too many that nobody has used. */
  allow(ticket: Uint8Array, wanted: FetchTicket, ttlSeconds: number): boolean {
    const nowMs = performance.now();
    for (const [key, { untilMs }] of this.#tickets) if (untilMs < nowMs) this.#tickets.delete(key);
    if (this.#tickets.size >= maxTickets) return false;
    this.#tickets.set(keyOf(ticket), { ...wanted, untilMs: nowMs + ttlSeconds * 1000 });
    return true;
  }

  /** Takes a ticket away. @returns undefined when it is none, is of another host, was used or is too old. */
  use(ticket: Uint8Array, peer: string): FetchTicket | undefined {
    const key = keyOf(ticket);
    const found = this.#tickets.get(key);
    if (found === undefined || found.peer !== peer) return undefined;
    this.#tickets.delete(key);
    return found.untilMs < performance.now() ? undefined : found;
  }
}

function keyOf(ticket: Uint8Array): string {
  return createHash("sha256").update(ticket).digest("hex");
}
