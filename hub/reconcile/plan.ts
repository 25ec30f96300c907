import { EndSpec, type EndStatus } from "../../proto/gen/zor/agent/v1/cable_service.js";
import { type LinkEncryption, LinkRole, type LinkTransport } from "../../proto/gen/zor/v1/link.js";

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
  readonly transport: LinkTransport;
  readonly encryption: LinkEncryption;
  readonly pairing: Pairing | undefined;
  /** Hosts that have confirmed that they have no end of it, for links being deleted. */
  readonly gone: ReadonlySet<string>;
}

/** A registered host that has joined. */
export interface HostInput {
  /** Its agent can be asked now. */
  readonly ready: boolean;
  /** Its ends by link, as last told. */
  readonly ends: ReadonlyMap<string, EndStatus>;
  /** Ends are all known and current. */
  readonly endsCurrent: boolean;
  /** "ip:port" at which other hosts reach its cable engine; empty: they cannot. */
  readonly cableAddresses: readonly string[];
  /** SHA-256 of its cable key; undefined: it has not said hello since the hub began. */
  readonly cableKeySha256: Buffer | undefined;
}

/** Everything a plan looks at. */
export interface PlanInput {
  readonly links: readonly LinkInput[];
  /** By host id. A host that is not here is not registered, or never joined: it has no ends. */
  readonly hosts: ReadonlyMap<string, HostInput>;
  /** What was last asked of an end, as {@link fingerprintOf} gives it, by {@link endKey}. */
  readonly applied: ReadonlyMap<string, string>;
  readonly nowMs: number;
}

/** One thing to do. `host` is where it is done; empty: in the hub itself. */
export type Step =
  | { readonly type: "newTicket"; readonly host: ""; readonly link: string }
  | { readonly type: "ensureEnd"; readonly host: string; readonly link: string; readonly spec: EndSpec }
  | { readonly type: "deleteEnd"; readonly host: string; readonly link: string; readonly uid: string }
  | { readonly type: "forgetLink"; readonly host: ""; readonly link: string };

/** Seconds a ticket is good for on the listener. */
export const ticketTtlSeconds = 120;

/** Key of an end in {@link PlanInput.applied}. */
export function endKey(host: string, link: string): string {
  return `${host} ${link}`;
}

/** What makes two asks of an end the same; the ticket does not count. */
export function fingerprintOf(spec: EndSpec): string {
  const { linkUid, lan, role, peerAddresses, peerKeySha256, transport, encryption } = spec;
  return JSON.stringify([linkUid, lan, role, peerAddresses, peerKeySha256.toString("hex"), transport, encryption]);
}

/** Why a link cannot be set up whatever is tried; undefined when it can, or when that is not known yet. */
export function findObstacle(link: Pick<LinkInput, "a" | "b">, hosts: PlanInput["hosts"]): string | undefined {
  const [a, b] = [hosts.get(link.a.host), hosts.get(link.b.host)];
  if (a?.cableKeySha256 === undefined || b?.cableKeySha256 === undefined) return undefined;
  if (a.cableAddresses.length > 0 || b.cableAddresses.length > 0) return undefined;
  return `neither hosts/${link.a.host} nor hosts/${link.b.host} can be reached by the other: give one of them an underlay address`;
}

/** What to do next to bring the ends from what they are to what they should be. Pure; the same input gives the same steps. */
export function plan(input: PlanInput): Step[] {
  return input.links.flatMap((link) => (link.deleting ? planDelete(link, input) : planLink(link, input)));
}

function planDelete(link: LinkInput, { hosts }: PlanInput): Step[] {
  const left = [...new Set([link.a.host, link.b.host])].filter((id) => {
    const host = hosts.get(id);
    if (host === undefined || link.gone.has(id)) return false;
    return !(host.endsCurrent && findEnd(host, link.name) === undefined);
  });
  if (left.length === 0) return [{ type: "forgetLink", host: "", link: link.name }];
  return left
    .filter((id) => hosts.get(id)?.ready === true)
    .map((host) => ({ type: "deleteEnd", host, link: link.name, uid: link.uid }));
}

function planLink(link: LinkInput, input: PlanInput): Step[] {
  const [a, b] = [input.hosts.get(link.a.host), input.hosts.get(link.b.host)];
  // An end of an older link of the same name is in the way.
  const foreign = foreignEnds(link, input);
  if (foreign.length > 0) return foreign;
  if (a?.cableKeySha256 === undefined || b?.cableKeySha256 === undefined) return [];
  const listener = chooseListener(link, a, b);
  if (listener === undefined) return [];
  const specs = specsOf(
    link,
    { ...a, cableKeySha256: a.cableKeySha256 },
    { ...b, cableKeySha256: b.cableKeySha256 },
    listener,
  );
  if (isPaired(link, a, b)) return planChanges(specs, input);
  // A new end alone could not connect: both hosts are needed, and what they have must be known.
  if (!a.ready || !b.ready || !a.endsCurrent || !b.endsCurrent) return [];
  return planPairing(link, specs, input.nowMs);
}

function foreignEnds(link: LinkInput, { hosts }: PlanInput): Step[] {
  return [link.a.host, link.b.host].flatMap((id): Step[] => {
    const host = hosts.get(id);
    const end = host === undefined ? undefined : findEnd(host, link.name);
    if (host?.ready !== true || end === undefined || end.linkUid === link.uid) return [];
    return [{ type: "deleteEnd", host: id, link: link.name, uid: end.linkUid }];
  });
}

/** Both ends are there, have connected before and can connect again by themselves. */
function isPaired(link: LinkInput, a: HostInput, b: HostInput): boolean {
  return [a, b].every((host) => {
    const end = findEnd(host, link.name);
    return end?.paired === true && !end.needsTicket;
  });
}

function planChanges(specs: readonly HostSpec[], { hosts, applied }: PlanInput): Step[] {
  return specs
    .filter(({ host, spec }) => {
      if (hosts.get(host)?.ready !== true) return false;
      return applied.get(endKey(host, spec.link)) !== fingerprintOf(spec);
    })
    .map(({ host, spec }) => ({ type: "ensureEnd", host, link: spec.link, spec }));
}

function planPairing(link: LinkInput, specs: readonly HostSpec[], nowMs: number): Step[] {
  const { pairing } = link;
  if (pairing === undefined || pairing.expiresMs <= nowMs) return [{ type: "newTicket", host: "", link: link.name }];
  // The listener must know the ticket before the dialer comes with it; specs begin with the listener.
  const next = specs.find(({ host }) => !pairing.given.has(host));
  if (next !== undefined) {
    const spec = { ...next.spec, ticket: pairing.ticket, ticketTtlSeconds };
    return [{ type: "ensureEnd", host: next.host, link: link.name, spec }];
  }
  return pairing.retryMs <= nowMs ? [{ type: "newTicket", host: "", link: link.name }] : [];
}

function chooseListener(link: LinkInput, a: HostInput, b: HostInput): "a" | "b" | undefined {
  const [canA, canB] = [a.cableAddresses.length > 0, b.cableAddresses.length > 0];
  if (canA && canB) {
    // Roles stay as they are: changing them would break a connection for nothing.
    return findEnd(a, link.name)?.end?.role === LinkRole.LINK_ROLE_DIALER ? "b" : "a";
  }
  return canA ? "a" : canB ? "b" : undefined;
}

interface HostSpec {
  readonly host: string;
  readonly spec: EndSpec;
}
type KnownHost = HostInput & { readonly cableKeySha256: Buffer };

// The listener's first.
function specsOf(link: LinkInput, a: KnownHost, b: KnownHost, listener: "a" | "b"): HostSpec[] {
  const ends = [
    { place: link.a, self: "a", peer: b },
    { place: link.b, self: "b", peer: a },
  ];
  const specs = ends.map(({ place, self, peer }) => {
    const listens = self === listener;
    const spec = EndSpec.fromPartial({
      link: link.name,
      linkUid: link.uid,
      lan: place.lan,
      role: listens ? LinkRole.LINK_ROLE_LISTENER : LinkRole.LINK_ROLE_DIALER,
      peerAddresses: listens ? [] : [...peer.cableAddresses],
      peerKeySha256: peer.cableKeySha256,
      ticket: Buffer.alloc(0),
      ticketTtlSeconds: 0,
      transport: link.transport,
      encryption: link.encryption,
    });
    return { host: place.host, spec };
  });
  return listener === "a" ? specs : specs.reverse();
}

function findEnd(host: HostInput, link: string): EndStatus | undefined {
  return host.ends.get(link);
}
