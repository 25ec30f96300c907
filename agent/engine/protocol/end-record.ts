import { z } from "zod";
import { impairmentSchema, stepSchema } from "./impairment-schema.js";
import { randomSeed } from "../impair/random-seed.js";

const secretHex = z.string().regex(/^[0-9a-f]{64}$/);

const seed = z.string().regex(/^-?\d{1,20}$/);

/** What is to happen to the frames that an end sends. */
const impairmentOrderSchema = z.object({
  standing: impairmentSchema,
  steps: z.array(stepSchema).max(64),
  /** Decimal; "0": the engine picks one. */
  seed,
  /** Changes with what is asked for: then chances and schedule begin again. */
  revision: z.string().min(1).max(64),
});

/** One end as the agent asks for it, in the control protocol. */
export const endSpecSchema = z.object({
  /** "links/{link}". */
  link: z.string().min(7).max(80),
  linkUid: z.string().min(1).max(128),
  /** Id of the lan on this host. */
  lan: z.string().min(1).max(63),
  role: z.enum(["listener", "dialer"]),
  /** "ip:port" or "[ip]:port", tried in order. */
  peerAddresses: z.array(z.string().max(64)).max(16),
  /** Addresses of the hub's relay, tried in order; undefined or empty: there is none. */
  relayAddresses: z.array(z.string().max(64)).max(16).optional(),
  /** Authorises this end at the relay, hex. */
  relayTicket: secretHex.optional(),
  /** Pin of the peer, hex. */
  peerKeySha256: secretHex,
  /** A new ticket, hex; undefined: keep what is there. */
  ticket: secretHex.optional(),
  ticketTtlSeconds: z.int().min(1).max(3600).default(600),
  /** "none": both ends prove who they are under TLS and then leave it. Undefined: "tls". */
  encryption: z.enum(["tls", "none"]).optional(),
  /** Undefined: nothing. */
  impairment: impairmentOrderSchema.optional(),
});

/** See {@link endSpecSchema}. */
export type EndSpec = z.infer<typeof endSpecSchema>;

/** How frames are protected between the ends. */
export type Encryption = NonNullable<EndSpec["encryption"]>;

const ticketSchema = z.object({ secret: secretHex, expiresMs: z.number(), used: z.boolean() });

/** The first version kept one at most. */
function asList(value: unknown): unknown {
  return typeof value === "string" ? [value] : value;
}

/** An end as it is stored in ends.json. */
export const endRecordSchema = endSpecSchema.omit({ ticket: true, ticketTtlSeconds: true }).extend({
  tickets: z.array(ticketSchema).max(16),
  impairment: impairmentOrderSchema.extend({ usedSeed: seed, setMs: z.number() }).optional(),
  /** Secret that lets the dialer come back, hex. */
  pairing: secretHex.optional(),
  /** Secrets offered to a dialer that it may or may not have stored, newest last. */
  offered: z.preprocess(asList, z.array(secretHex).max(8).optional()),
});

/** See {@link endRecordSchema}. */
export type EndRecord = z.infer<typeof endRecordSchema>;

/** Tickets remembered to tell a used one from a foreign one. */
const maxTickets = 8;
/** Offers remembered: a handshake may break before its offer is confirmed, and others may be under way. */
const maxOffers = 4;

/** The record of an end after the agent asked for it. What two hosts agreed on is kept as long as the link and the peer's key are the same. */
export function applySpec(spec: EndSpec, previous: EndRecord | undefined, nowMs: number): EndRecord {
  const { ticket, ticketTtlSeconds, impairment, ...wanted } = spec;
  const kept = previous?.peerKeySha256 === spec.peerKeySha256 ? previous : undefined;
  const known = kept?.tickets ?? [];
  const isNew = ticket !== undefined && !known.some(({ secret }) => secret === ticket);
  const added = isNew ? [{ secret: ticket, expiresMs: nowMs + ticketTtlSeconds * 1000, used: false }] : [];
  return {
    ...wanted,
    ...(impairment === undefined ? {} : { impairment: beginImpairment(impairment, previous?.impairment, nowMs) }),
    tickets: [...known, ...added].slice(-maxTickets),
    ...(kept?.pairing === undefined ? {} : { pairing: kept.pairing }),
    ...(kept?.offered === undefined ? {} : { offered: kept.offered }),
  };
}

/** What was asked for before goes on; something else begins now. */
function beginImpairment(
  asked: NonNullable<EndSpec["impairment"]>,
  previous: EndRecord["impairment"],
  nowMs: number,
): NonNullable<EndRecord["impairment"]> {
  if (previous?.revision === asked.revision) return previous;
  return { ...asked, usedSeed: asked.seed === "0" ? randomSeed() : asked.seed, setMs: nowMs };
}

/** Tickets that can be used now, newest first. */
export function freshTickets(record: EndRecord, nowMs: number): readonly Buffer[] {
  return record.tickets
    .filter((ticket) => !ticket.used && ticket.expiresMs > nowMs)
    .map((ticket) => Buffer.from(ticket.secret, "hex"))
    .reverse();
}

/** The record after a ticket was used. */
export function withUsedTicket(record: EndRecord, secret: Buffer): EndRecord {
  const hex = secret.toString("hex");
  return {
    ...record,
    tickets: record.tickets.map((ticket) => (ticket.secret === hex ? { ...ticket, used: true } : ticket)),
  };
}

/** The record after a secret was offered to the dialer. */
export function withOffer(record: EndRecord, secret: Buffer): EndRecord {
  return { ...record, offered: [...(record.offered ?? []), secret.toString("hex")].slice(-maxOffers) };
}

/**
 * The record after the dialer has confirmed a handshake; the same when that tells nothing new.
 * @param shown the pairing secret that the dialer showed, or the one that was offered for its ticket.
 */
export function withPairing(record: EndRecord, shown: Buffer): EndRecord {
  const pairing = shown.toString("hex");
  const { offered = [], ...kept } = record;
  if (kept.pairing === pairing || !offered.includes(pairing)) return record;
  const others = offered.filter((secret) => secret !== pairing);
  // Two handshakes may end in the other order at the dialer: it may come back with an earlier one.
  const known = kept.pairing === undefined ? others : [...others, kept.pairing];
  return { ...kept, pairing, offered: known.slice(-maxOffers) };
}
