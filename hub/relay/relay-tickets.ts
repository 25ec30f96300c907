import { createHmac, randomBytes } from "node:crypto";
import type { Change, Store } from "../store/store.js";
import type { TicketSubject } from "./ticket-subject.js";

interface Row {
  /** Key that tickets are derived from, base64. */
  readonly key: string;
  /** By host id: changes when the host's identity is revoked, and with it all its tickets. */
  readonly epochs: Readonly<Record<string, string>>;
}

const recordKey = "relay-tickets";

/**
 * Tickets for the relay. They are derived from a key in the store, so that ends come back through a restarted hub with what they
 * have, and nothing has to be kept for each.
 */
export class RelayTickets {
  #row: Row;

  private constructor(row: Row) {
    this.#row = row;
  }

  /** Reads the key, or makes it. */
  static async open(store: Store): Promise<RelayTickets> {
    const stored = await store.get("meta", recordKey);
    // Only this module writes this record.
    if (stored !== undefined) return new RelayTickets(JSON.parse(Buffer.from(stored.value).toString("utf8")) as Row);
    const row: Row = { key: randomBytes(32).toString("base64"), epochs: {} };
    await store.commit([put(row)]);
    return new RelayTickets(row);
  }

  /** The ticket of an end, 32 bytes. */
  ticketOf({ linkUid, role, host, hostUid }: TicketSubject): Buffer {
    const subject = JSON.stringify(["zorhub relay ticket 1", linkUid, role, host, hostUid, this.epochOf(host)]);
    return createHmac("sha256", Buffer.from(this.#row.key, "base64")).update(subject).digest();
  }

  /** Changes when the host's tickets do; "": its identity was never revoked. */
  epochOf(host: string): string {
    return this.#row.epochs[host] ?? "";
  }

  /** Makes all tickets of a host useless: commit the change, then call `apply`. */
  planRevocation(host: string): { readonly change: Change; readonly apply: () => void } {
    const row = { ...this.#row, epochs: { ...this.#row.epochs, [host]: randomBytes(16).toString("base64") } };
    return {
      change: put(row),
      apply: () => {
        this.#row = row;
      },
    };
  }
}

function put(row: Row): Change {
  return { type: "put", collection: "meta", key: recordKey, value: Buffer.from(JSON.stringify(row)) };
}
