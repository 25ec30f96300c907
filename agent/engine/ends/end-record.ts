import type { EndSpec } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import type { BegunImpairment, StoredEnd } from "../../../proto/gen/zor/agent/v1/engine.js";
import { Impairment, ImpairmentStep } from "../../../proto/gen/zor/v1/impairment.js";
import { LinkEncryption, LinkRole } from "../../../proto/gen/zor/v1/link.js";
import type { Encryption } from "../handshake/encryption.js";
import { readDropPrograms } from "../protocol/drop-program.js";
import { begin, startOf } from "../impair/begun.js";
import type { WayOrder } from "../impair/way.js";
import { orderOf, toSteps, type Wishes } from "../impair/wishes.js";

/** An end as it is stored, and as it is to be. Never changed in place. */
export interface EndRecord extends StoredEnd {
  readonly spec: EndSpec;
}

/** Tickets remembered to tell a used one from a foreign one. */
const maxTickets = 8;
/** Offers remembered: a handshake may break before its offer is confirmed, and others may be under way. */
const maxOffers = 4;
const nothing = Buffer.alloc(0);

/** The record of an end after the agent asked for it. What two hosts agreed on is kept as long as the link and the peer's key are the same. */
export function applySpec(asked: EndSpec, previous: EndRecord | undefined, nowMs: number): EndRecord {
  const { ticket, ticketTtlSeconds } = asked;
  const kept = previous?.spec.peerKeySha256.equals(asked.peerKeySha256) === true ? previous : undefined;
  const known = kept?.tickets ?? [];
  const isNew = ticket.length > 0 && !known.some(({ secret }) => secret.equals(ticket));
  const expireTime = new Date(nowMs + ticketTtlSeconds * 1_000);
  const added = isNew ? [{ secret: ticket, expireTime, used: false }] : [];
  return {
    spec: { ...asked, ticket: nothing, ticketTtlSeconds: 0 },
    tickets: [...known, ...added].slice(-maxTickets),
    pairing: kept?.pairing ?? nothing,
    offered: kept?.offered ?? [],
    begun: begunOf(asked, previous, nowMs),
  };
}

/** What was asked for before goes on; something else begins now. Undefined: nothing is impaired. */
function begunOf(asked: EndSpec, previous: EndRecord | undefined, nowMs: number): BegunImpairment | undefined {
  if (asked.impairment === undefined && asked.schedule.length === 0) return undefined;
  if (previous?.begun !== undefined && textOf(previous.spec) === textOf(asked)) return previous.begun;
  return begin(asked.seed, nowMs);
}

/** The same for the same impairment: to ask for it again does not begin it again. */
function textOf({ impairment, schedule, seed }: EndSpec): string {
  const steps = schedule.map((step) => ImpairmentStep.toJSON(step));
  return JSON.stringify([impairment === undefined ? null : Impairment.toJSON(impairment), steps, String(seed)]);
}

/** What the end does: wait for the other, or dial it. */
export function roleOf({ spec }: EndRecord): "listener" | "dialer" {
  return spec.role === LinkRole.LINK_ROLE_DIALER ? "dialer" : "listener";
}

/** How frames are protected between the ends. */
export function encryptionOf({ spec }: EndRecord): Encryption {
  return spec.encryption === LinkEncryption.LINK_ENCRYPTION_NONE ? "none" : "tls";
}

/** By which ways an end connects: a change makes a new attempt worth it. */
export function waysOf({ spec }: EndRecord): string {
  const { peerAddresses, relayAddresses, relayTicket } = spec;
  return [...peerAddresses, "relay", ...relayAddresses, relayTicket.toString("hex")].join();
}

/** What is to happen to the frames the end sends; undefined: nothing. */
export function wayOrderOf({ spec, begun }: EndRecord): WayOrder | undefined {
  if (begun === undefined) return undefined;
  return { ...orderOf(wishesOf(spec), readDropPrograms(spec.dropPrograms)), ...startOf(begun) };
}

/** What is asked to happen to the frames the end sends: its schedule is for them, whatever directions are in it. */
export function wishesOf({ impairment, schedule }: EndSpec): Wishes {
  return { standing: impairment, steps: toSteps(schedule) };
}

/** Tickets that can be used now, newest first. */
export function freshTickets(record: EndRecord, nowMs: number): readonly Buffer[] {
  return record.tickets
    .filter((ticket) => !ticket.used && !isOver(ticket, nowMs))
    .map(({ secret }) => secret)
    .reverse();
}

/** Whether the time of a ticket is over. */
export function isOver({ expireTime }: EndRecord["tickets"][0], nowMs: number): boolean {
  return (expireTime?.getTime() ?? 0) <= nowMs;
}

/** The record after a ticket was used. */
export function withUsedTicket(record: EndRecord, secret: Buffer): EndRecord {
  const tickets = record.tickets.map((ticket) => (ticket.secret.equals(secret) ? { ...ticket, used: true } : ticket));
  return { ...record, tickets };
}

/** The record after a secret was offered to the dialer. */
export function withOffer(record: EndRecord, secret: Buffer): EndRecord {
  return { ...record, offered: [...record.offered, secret].slice(-maxOffers) };
}

/**
 * The record after the dialer has confirmed a handshake; the same when that tells nothing new.
 * @param shown the pairing secret that the dialer showed, or the one that was offered for its ticket.
 */
export function withPairing(record: EndRecord, shown: Buffer): EndRecord {
  const { pairing, offered } = record;
  if (pairing.equals(shown) || !offered.some((secret) => secret.equals(shown))) return record;
  const others = offered.filter((secret) => !secret.equals(shown));
  // Two handshakes may end in the other order at the dialer: it may come back with an earlier one.
  const known = pairing.length === 0 ? others : [...others, pairing];
  return { ...record, pairing: shown, offered: known.slice(-maxOffers) };
}
