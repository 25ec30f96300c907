import type { EndSpec, EndStatus } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import { fingerprintOf, type HostSpec, hostSpecs, isLocal, isVxlan, localSpec } from "./end-specs.js";
import { findObstacle } from "./obstacle.js";
import type { HostInput, LinkInput, PlanInput } from "./plan-input.js";
import { listenerOf, type RoleInput, type Side, shouldSwap } from "./roles.js";

/** One thing to do. `host` is where it is done; empty: in the hub itself. */
export type Step =
  | { readonly type: "newTicket"; readonly host: ""; readonly link: string }
  | { readonly type: "swapRoles"; readonly host: ""; readonly link: string; readonly listener: Side }
  | { readonly type: "ensureEnd"; readonly host: string; readonly link: string; readonly spec: EndSpec }
  | { readonly type: "deleteEnd"; readonly host: string; readonly link: string; readonly uid: string }
  | { readonly type: "forgetLink"; readonly host: ""; readonly link: string };

/** Seconds a ticket is good for on the listener. */
export const ticketTtlSeconds = 120;

/** Key of an end in {@link PlanInput.applied}. */
export function endKey(host: string, link: string): string {
  return `${host} ${link}`;
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
  // An end of an older link of the same name is in the way.
  const foreign = foreignEnds(link, input);
  if (foreign.length > 0) return foreign;
  if (isLocal(link)) return planUnpaired([localSpec(link)], input);
  const [a, b] = [input.hosts.get(link.a.host), input.hosts.get(link.b.host)];
  if (a?.cableKeySha256 === undefined || b?.cableKeySha256 === undefined) return [];
  if (findObstacle(link, input) !== undefined) return [];
  const roles = roleInput(link, a, b);
  const listener = listenerOf(roles);
  const hosts = { a: { ...a, cableKeySha256: a.cableKeySha256 }, b: { ...b, cableKeySha256: b.cableKeySha256 } };
  const specs = hostSpecs(link, hosts, listener, input.relay);
  // Nobody dials: there is nothing to pair.
  if (isVxlan(link.spec)) return planUnpaired(specs, input);
  const ready = a.ready && b.ready && a.endsCurrent && b.endsCurrent;
  if (ready && shouldSwap(roles, input.nowMs)) {
    return [{ type: "swapRoles", host: "", link: link.name, listener: listener === "a" ? "b" : "a" }];
  }
  if (isPaired(link, a, b)) return planChanges(specs, input);
  // A new end alone could not connect: both hosts are needed, and what they have must be known.
  return ready ? planPairing(link, specs, input.nowMs) : [];
}

/** What roles are chosen from. */
export function roleInput(link: Pick<LinkInput, "name" | "uid" | "roles">, a: HostInput, b: HostInput): RoleInput {
  const endOf = (host: HostInput): EndStatus | undefined => {
    const end = findEnd(host, link.name);
    return end?.linkUid === link.uid ? end : undefined;
  };
  return {
    dialable: { a: a.cableAddresses.length > 0, b: b.cableAddresses.length > 0 },
    ends: { a: endOf(a), b: endOf(b) },
    memory: link.roles,
  };
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

/** Ends that need no ticket: each is made, or made again, by itself. */
function planUnpaired(specs: readonly HostSpec[], input: PlanInput): Step[] {
  const known = new Map(input.applied);
  for (const { host, spec } of specs) {
    const at = input.hosts.get(host);
    // Asked for, and not there any more: the host has lost it.
    if (at?.endsCurrent === true && findEnd(at, spec.link) === undefined) known.delete(endKey(host, spec.link));
  }
  return planChanges(specs, { ...input, applied: known });
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

function findEnd(host: HostInput, link: string): EndStatus | undefined {
  return host.ends.get(link);
}
