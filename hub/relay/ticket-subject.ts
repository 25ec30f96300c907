import type { RelayRole } from "../../lib/relay-role.js";

/** What a ticket lets in: one end of one link on one host, in one role. */
export interface TicketSubject {
  readonly linkUid: string;
  readonly role: RelayRole;
  /** Id of the host. */
  readonly host: string;
  /** A machine that takes another's place has another uid, and its tickets are others. */
  readonly hostUid: string;
}
