import type { RelayRole } from "../../../lib/relay-role.js";
import type { RelayedState } from "../relay-link.js";

/**
 * What hub and relay say to each other: JSON, a message a line, over a socket that only their user can open. A relay of another number cannot
 * be told whom to let in any more: its hub ends it, and starts one of its own. What is only added leaves the number as it is.
 */
export const keptRelayProtocol = 1;
/** The relay's socket, in its directory. */
export const keptRelaySocket = "relay.sock";
/** Longest line of either side: all links of a hub are in one. */
export const maxLineBytes: number = 64 * 1024 * 1024;

/** A host that is let in for a link, and with what. */
export interface GrantWords {
  /** Id of the host. */
  readonly host: string;
  /** Its tickets, base64. */
  readonly tickets: Readonly<Record<RelayRole, string>>;
}

/** Whom the relay lets in, by uid of the link; null: nobody. */
export type LinkGrants = Readonly<Record<string, readonly GrantWords[] | null>>;

/** What the hub says. */
export type HubMessage =
  /** Addresses at which hosts come; what is connected stays. Answered by `listening` or `cannot-listen`. */
  | { readonly type: "listen"; readonly addresses: readonly string[] }
  /** What changed; or all there is, by which a connection becomes that of the hub. In answer to an `ask`, its number. */
  | { readonly type: "links"; readonly links: LinkGrants; readonly isAll: boolean; readonly answers?: number }
  /** Answered by `alive`. */
  | { readonly type: "live?" }
  /** The hub ends in good order: a relay without anything to do need not wait for the next one. */
  | { readonly type: "leave" }
  /** The relay is to end, whatever it carries. */
  | { readonly type: "end" };

/** What the relay is, said first on every connection. */
export interface RelayHello {
  readonly type: "hello";
  readonly protocol: number;
  /** Of its program's files. */
  readonly build: string;
  readonly pid: number;
  /** Pairs that it carries. */
  readonly pairs: number;
  /** Where it is served. */
  readonly addresses: readonly string[];
}

/** What the relay says. */
export type RelayMessage =
  | RelayHello
  | { readonly type: "listening"; readonly addresses: readonly string[]; readonly missing: readonly string[] }
  | { readonly type: "cannot-listen"; readonly message: string }
  | { readonly type: "missing"; readonly address: string; readonly why: string }
  | { readonly type: "taken"; readonly address: string; readonly addresses: readonly string[] }
  /** What is there of links that have changed; on a new connection of all that have something there. */
  | { readonly type: "states"; readonly links: Readonly<Record<string, RelayedState>> }
  /** What was carried since it was told last. */
  | { readonly type: "bytes"; readonly links: Readonly<Record<string, number>> }
  /** Somebody has come for a link with a ticket that the relay does not know. */
  | { readonly type: "ask"; readonly ask: number; readonly link: string }
  | { readonly type: "alive" }
  | { readonly type: "log"; readonly level: number; readonly message: string; readonly facts: object };

/** A message as a line. */
export function lineOf(message: HubMessage | RelayMessage): string {
  return `${JSON.stringify(message)}\n`;
}
