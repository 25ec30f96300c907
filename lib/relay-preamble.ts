import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { RelayRole } from "./relay-role.js";

/**
 * What an end of a link says to the hub's relay on a plain TCP connection it has opened. The relay speaks first, 22 bytes: "ZORR2\n",
 * another version has another number, and a challenge, 16 bytes, random and new for every connection. The end answers with 55:
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 6 | "ZORR2\n" |
 * | 6 | 16 | uid of the link: the UUID's bytes in the order of its text |
 * | 22 | 1 | role of the end: 0 listener, 1 dialer |
 * | 23 | 32 | HMAC-SHA256 over bytes 0 to 22 and then the challenge, with the end's relay ticket as key |
 *
 * What somebody overhears is worth nothing on another connection, whatever the relay has forgotten since.
 *
 * The ticket (EndSpec.relay_ticket, 32 bytes, another for every link, role and host) itself never crosses. Nothing may follow the
 * preamble until the relay has answered with one byte, a {@link RelayStatus}: {@link RelayStatus.Paired} when the other end is
 * there, which can take as long as {@link relayParkMs}, and from then on every byte is the other end's; any other value, and the
 * relay closes. The preamble proves to the relay that the end may use it, and nothing more: who is at the other end is for TLS.
 */
export interface RelayPreamble {
  /** Uid of the link, a UUID. */
  readonly linkUid: string;
  readonly role: RelayRole;
}

/** A preamble as it came, not yet verified. */
export interface ReceivedPreamble extends RelayPreamble {
  /** Whether it was made with this ticket, in answer to this challenge; takes the same time whatever the outcome. */
  verify(ticket: Buffer, challenge: Buffer): boolean;
}

/** The relay's one byte. */
export const RelayStatus = {
  /** The other end is there: what follows comes from it. */
  Paired: 0,
  /** Not a preamble of a version that the relay speaks. Trying again is useless. */
  BadPreamble: 1,
  /** No such link, or not the ticket of this end. A new ticket may come from the hub at any time. */
  NotAuthorised: 2,
  /** The other end did not come in time. Try again at once. */
  TimedOut: 4,
  /** A newer connection of the same end took this one's place. */
  Replaced: 5,
  /** The relay serves as many connections as it can. Try again later. */
  Busy: 6,
  /** The link was deleted, or its end here was given another role or ticket. */
  Gone: 7,
  /** The hub is ending. Try again later. */
  ShuttingDown: 8,
  /** This end is here already, from another address, and lives: two hosts have one identity. Try again later. */
  Copy: 9,
} as const;

/** See {@link RelayStatus}. */
export type RelayStatusCode = (typeof RelayStatus)[keyof typeof RelayStatus];

/** Bytes of what the relay says first. */
export const relayGreetingBytes = 22;
/** Bytes of a preamble. */
export const relayPreambleBytes = 55;
/** How long the relay lets an end wait for the other, in ms. */
export const relayParkMs = 60_000;

const magic = Buffer.from("ZORR2\n");
const uidAt = 6;
const roleAt = 22;
const proofAt = 23;
const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What the relay says first on a connection, and the challenge in it. */
export function makeRelayGreeting(): { readonly bytes: Buffer; readonly challenge: Buffer } {
  const challenge = randomBytes(relayGreetingBytes - magic.length);
  return { bytes: Buffer.concat([magic, challenge]), challenge };
}

/** The challenge of a greeting; undefined when the bytes are none of this version. */
export function challengeOf(greeting: Buffer): Buffer | undefined {
  if (greeting.length !== relayGreetingBytes || !greeting.subarray(0, magic.length).equals(magic)) return undefined;
  return greeting.subarray(magic.length);
}

/** Makes the preamble of the connection on which the challenge came. @throws when the uid is not a UUID. */
export function encodeRelayPreamble(
  { linkUid, role }: RelayPreamble,
  { ticket, challenge }: { readonly ticket: Buffer; readonly challenge: Buffer },
): Buffer {
  if (!uuidPattern.test(linkUid)) throw new Error(`${linkUid} is not a UUID in lower case`);
  const body = Buffer.concat([
    magic,
    Buffer.from(linkUid.replaceAll("-", ""), "hex"),
    Buffer.from([role === "listener" ? 0 : 1]),
  ]);
  return Buffer.concat([body, proofOf(body, ticket, challenge)]);
}

/** Reads a preamble; undefined when the bytes are not one. */
export function decodeRelayPreamble(bytes: Buffer): ReceivedPreamble | undefined {
  const role = roles[bytes[roleAt] ?? roles.length];
  if (bytes.length !== relayPreambleBytes || !bytes.subarray(0, uidAt).equals(magic) || role === undefined) {
    return undefined;
  }
  const body = bytes.subarray(0, proofAt);
  return {
    linkUid: uuidText(bytes.subarray(uidAt, roleAt)),
    role,
    verify: (ticket, challenge) => timingSafeEqual(proofOf(body, ticket, challenge), bytes.subarray(proofAt)),
  };
}

const roles: readonly RelayRole[] = ["listener", "dialer"];

function proofOf(body: Buffer, ticket: Buffer, challenge: Buffer): Buffer {
  return createHmac("sha256", ticket).update(body).update(challenge).digest();
}

function uuidText(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
