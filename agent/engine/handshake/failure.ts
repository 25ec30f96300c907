/** Kinds of reasons why a cable does not carry frames. */
export type FailureKind =
  /** The peer's host answers, but nothing listens there. */
  | "refused"
  | "timed-out"
  | "unreachable"
  /** A certificate is not the pinned one, or the TLS handshake failed. */
  | "certificate"
  /** The ticket is used, expired or not of this link. */
  | "ticket"
  /** The two ends do not know each other (any more). */
  | "unpaired"
  | "version"
  /** The peer has no such link, or not in the role it needs. */
  | "unknown-link"
  | "protocol"
  /** The policy of a host forbids what the link is to be, or the ends disagree about it. */
  | "policy"
  /** The relay cannot be reached or does not take the end. */
  | "relay"
  /** The connection broke. */
  | "lost"
  /** The peer said goodbye. */
  | "peer";

/** Why a connection could not be set up. */
export class CableFailure extends Error {
  readonly kind: FailureKind;

  /** @param message for people; text of the peer in it is escaped. */
  constructor(kind: FailureKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CableFailure";
    this.kind = kind;
  }

  /** A new attempt is useless until the hub has given a new ticket. */
  get needsTicket(): boolean {
    return this.kind === "ticket" || this.kind === "unpaired";
  }
}
