import type { EndStatus } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import type { LinkSpec } from "../../../../proto/gen/zor/v1/link.js";
import type { TicketSubject } from "../../../relay/ticket-subject.js";
import type { LinkHost } from "../link-host.js";
import type { RoleMemory } from "./roles.js";

/** An end of a desired link. */
export interface PlaceInput {
  readonly host: string;
  readonly lan: string;
}

/** A ticket under way to both ends of a link. */
export interface Pairing {
  readonly ticket: Buffer;
  readonly expiresMs: number;
  /** Hosts that have been given it. */
  readonly given: ReadonlySet<string>;
  /** Not before this time another is made, so that ends which cannot connect do not get one every second. */
  readonly retryMs: number;
}

/** A link as it should be. */
export interface LinkInput {
  readonly name: string;
  readonly uid: string;
  readonly deleting: boolean;
  readonly a: PlaceInput;
  readonly b: PlaceInput;
  readonly spec: LinkSpec;
  /** Identifier of the network of a vxlan link; 0 for others. */
  readonly vxlanId: number;
  readonly roles: RoleMemory;
  readonly pairing: Pairing | undefined;
  /** Hosts that have confirmed that they have no end of it, for links being deleted. */
  readonly gone: ReadonlySet<string>;
}

/** A registered host that has joined. */
export interface HostInput extends LinkHost {
  /** Its ends by link, as last told. */
  readonly ends: ReadonlyMap<string, EndStatus>;
  /** Ends are all known and current. */
  readonly endsCurrent: boolean;
}

/** The hub's relay. */
export interface RelayInput {
  /** "ip:port"s at which hosts reach it; empty: they cannot. */
  readonly addresses: readonly string[];
  readonly ticketOf: (subject: TicketSubject) => Buffer;
}

/** Everything a plan looks at. */
export interface PlanInput {
  readonly links: readonly LinkInput[];
  /** By host id. A host that is not here is not registered, or never joined: it has no ends. */
  readonly hosts: ReadonlyMap<string, HostInput>;
  /** What was last asked of an end, as fingerprintOf (end-specs.ts) gives it, by endKey (plan.ts). */
  readonly applied: ReadonlyMap<string, string>;
  /** Undefined: links are not relayed. */
  readonly relay: RelayInput | undefined;
  readonly nowMs: number;
}
