import type { Credential } from "../handshake/hello.js";
import { type EndRecord, freshTickets, isOver, withPairing, withUsedTicket } from "./end-record.js";

/** A ticket that was good once. */
export interface SpentTicket {
  readonly secret: Buffer;
  readonly why: "used" | "expired";
}

/** What an end can show, or accept, now: what was agreed on, what may have been, and the newest tickets. */
export function credentialsOf(record: EndRecord, nowMs: number): readonly Credential[] {
  const { pairing, offered } = record;
  const secrets = [...(pairing.length === 0 ? [] : [pairing]), ...[...offered].reverse()];
  return [
    ...secrets.map((secret) => ({ by: "pairing" as const, secret })),
    ...freshTickets(record, nowMs).map((secret) => ({ by: "ticket" as const, secret })),
  ];
}

/** The tickets that are not good any more, to tell used from expired from foreign. */
export function spentOf(record: EndRecord, nowMs: number): readonly SpentTicket[] {
  return record.tickets
    .filter((ticket) => ticket.used || isOver(ticket, nowMs))
    .map(({ secret, used }) => ({ secret, why: used ? "used" : "expired" }));
}

/** The record after the dialer has confirmed a handshake with this credential; the same when that tells nothing new. */
export function withConfirmed(record: EndRecord, credential: Credential, offered: Buffer): EndRecord {
  if (credential.by === "pairing") return withPairing(record, credential.secret);
  return withPairing(withUsedTicket(record, credential.secret), offered);
}
