import { agreeing, listed } from "../../../../lib/words.js";
import { LinkCause, LinkTransport } from "../../../../proto/gen/zor/v1/link.js";
import { isLocal, isPlain, isVxlan } from "./end-specs.js";
import type { HostInput, LinkInput, PlanInput } from "./plan-input.js";

/** Why a link cannot be set up, whatever is tried. */
export interface Obstacle {
  readonly cause: LinkCause;
  /** For people, with what to do. */
  readonly reason: string;
}

/** What of a link decides whether it can be set up. */
export type ObstacleLink = Pick<LinkInput, "a" | "b"> & {
  readonly spec: Pick<LinkInput["spec"], "transport" | "encryption">;
};

/** What stands in the way of a link; undefined when nothing does, or when that is not known yet. */
export function findObstacle(
  link: ObstacleLink,
  { hosts, relay }: Pick<PlanInput, "hosts" | "relay">,
): Obstacle | undefined {
  const [a, b] = [hosts.get(link.a.host), hosts.get(link.b.host)];
  if (isLocal(link) || a?.cableKeySha256 === undefined || b?.cableKeySha256 === undefined) return undefined;
  const both = [
    { id: link.a.host, host: a },
    { id: link.b.host, host: b },
  ];
  const names = (found: readonly { readonly id: string }[]): string => listed(found.map(({ id }) => `hosts/${id}`));
  const hidden = both.filter(({ host }) => host.cableAddresses.length === 0);
  if (isVxlan(link.spec)) {
    const without = both.filter(({ host }) => !host.transports.includes(LinkTransport.LINK_TRANSPORT_VXLAN));
    if (without.length > 0) {
      return {
        cause: LinkCause.LINK_CAUSE_POLICY,
        reason: `${without.map(({ id, host }) => `hosts/${id} does not offer vxlan: ${whyNoVxlan(host)}`).join("; ")}; or use the tcp transport`,
      };
    }
    if (hidden.length === 0) return undefined;
    return {
      cause: LinkCause.LINK_CAUSE_UNREACHABLE,
      reason: `vxlan needs both hosts to reach each other, and ${names(hidden)} ${agreeing(hidden.length, "has no address that others reach; give it", "have no address that others reach; give each")} an underlay address, or use the tcp transport`,
    };
  }
  const strict = isPlain(link.spec) ? both.filter(({ host }) => !host.allowsPlain) : [];
  if (strict.length > 0) {
    return {
      cause: LinkCause.LINK_CAUSE_POLICY,
      reason: `the agent's policy on ${names(strict)} does not allow links without encryption; start the agent with --allow-plain-links, or use encryption TLS`,
    };
  }
  if (hidden.length < 2) return undefined;
  const refused = hidden.flatMap(({ id, host }) => [
    ...host.refused,
    ...(host.via === "" ? [] : [`hosts/${id} is behind ${host.via}`]),
  ]);
  const why = refused.length === 0 ? "" : ` (${refused.join("; ")})`;
  const neither = `neither hosts/${link.a.host} nor hosts/${link.b.host} can be reached by the other${why}: give one of them an underlay address`;
  if (isPlain(link.spec)) {
    return {
      cause: LinkCause.LINK_CAUSE_UNREACHABLE,
      reason: `${neither}, or use encryption TLS: only ciphertext is relayed`,
    };
  }
  if ((relay?.addresses.length ?? 0) > 0) return undefined;
  return {
    cause: LinkCause.LINK_CAUSE_UNREACHABLE,
    reason: `${neither}, or start the hub with --relay-listen at an address that both reach`,
  };
}

/** Each cause that there is by itself, with its remedy. */
function whyNoVxlan({ allowsPlain, vxlanMissing }: HostInput): string {
  const causes = [
    ...(allowsPlain ? [] : ["its agent's policy does not allow links in clear (start it with --allow-plain-links)"]),
    ...(vxlanMissing === "" ? [] : [vxlanMissing]),
  ];
  return causes.length === 0 ? "its agent does not know how" : causes.join(", and ");
}
