import type { CallAudit } from "../../lib/events/call-audit.js";
import type { EventLog } from "../../lib/events/event-log.js";
import type { AllowedListen } from "../../lib/listen-policy.js";
import type { Log } from "../../lib/log.js";
import type { SshWays } from "../fleet/ssh-ways.js";
import type { Fleet } from "../fleet/fleet.js";
import type { Certificates } from "../pki/certificates.js";
import type { RelayHandle } from "../relay/relay-handle.js";
import type { Change, Store } from "../store/store.js";
import type { Views } from "../views/views.js";
import type { AddressBook } from "./address-book.js";
import type { KindHandlers } from "./handlers.js";
import type { HubOperations } from "./hub-operations.js";
import type { Inventory } from "./inventory.js";
import type { Lister } from "./lister.js";
import type { References } from "./references.js";
import type { Remarks } from "./remarks.js";
import type { StoredRequests } from "./requests.js";
import type { Router } from "./router.js";
import type { Topology } from "./topology.js";
import type { InnerCalls } from "./waves/inner-calls.js";

/** What the hub has for all kinds. Everything in it is there, and ready, when a kind is made. */
export interface HubParts {
  readonly store: Store;
  /** Everything observed, and the log that watches read. */
  readonly inventory: Inventory;
  /** What happened, kept on disk: at the hub and on its hosts. */
  readonly events: EventLog;
  /** Records what handlers do not. */
  readonly audit: CallAudit;
  /** Hosts and the sessions with their agents; kinds add parts to sessions, and are told of changes. */
  readonly fleet: Fleet;
  readonly relay: RelayHandle;
  readonly certificates: Certificates;
  readonly operations: HubOperations;
  /** The hub's methods, for what it does by itself in the name of a caller. */
  readonly calls: InnerCalls;
  /** Answers to requests, by request id. */
  readonly requests: StoredRequests;
  readonly router: Router;
  readonly lister: Lister;
  /** Live windows over queries. */
  readonly views: Views;
  /** Which resources cannot be without which. */
  readonly references: References;
  /** What joins lans. */
  readonly topology: Topology;
  /** What the hub has to say of resources beside their hosts. */
  readonly remarks: Remarks;
  /** Where the hub itself is reached. */
  readonly addresses: AddressBook;
  /** Where exposes may listen. */
  readonly exposeListen: readonly AllowedListen[];
  /** Ways to hosts through ssh servers. */
  readonly ways: SshWays;
  /** The text of a join token. */
  readonly formatToken: (secret: Buffer) => string;
  readonly log: Log;
  /** Aborts when the hub ends. */
  readonly stop: AbortSignal;
}

/**
 * What the hub adds to a kind. A kind that only lives on hosts needs none: the kit serves, routes, lists and watches it. The one list of them is
 * hub/kinds/index.ts; they are made and loaded in its order.
 */
export interface HubKind {
  /** Singular. */
  readonly kind: string;
  /** Makes it, once. It adds itself to those of the parts that it takes part in. */
  readonly create: (parts: HubParts) => HubKindPart;
}

/** A kind in a running hub. */
export interface HubKindPart {
  /** Handlers of methods, by path, instead of those that the kit has; a kind that lives on the hub has all of its own. */
  readonly handlers?: KindHandlers;
  /** By path of a routed method: what is done before the host is asked. What it throws is the answer. */
  readonly before?: KindHandlers;
  /** By path of a routed method: the answer as the caller gets it, made from the host's. */
  readonly after?: Readonly<Record<string, (answer: never) => unknown>>;
  /** Reads what is stored; before anything is served. */
  load?(): Promise<void>;
  /** The hub is reached by others now. */
  serving?(): void;
  /** What is observed and worth keeping; stored every half minute and at the end. */
  keep?(): readonly Change[];
  /** Ends what it has under way; what is on hosts goes on. */
  close?(): Promise<void>;
}
