import { sharedPrefixBits } from "../../../../lib/ip-prefix.js";
import { isPluggedEnd } from "../../../../lib/link-end.js";
import type { RelayRole } from "../../../../lib/relay-role.js";
import { EndSpec } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import { Direction, type ImpairmentStep } from "../../../../proto/gen/zor/v1/impairment.js";
import { LinkEncryption, LinkRole, type LinkSpec, LinkTransport } from "../../../../proto/gen/zor/v1/link.js";
import { splitAddress } from "../../../kit/split-address.js";
import type { HostInput, LinkInput, RelayInput } from "./plan-input.js";
import type { Side } from "./roles.js";

/** What a host is asked for. */
export interface HostSpec {
  readonly host: string;
  readonly spec: EndSpec;
}

/** A host whose cable engine is known. */
export type KnownHost = HostInput & { readonly cableKeySha256: Buffer };

/** Both hosts of a link. */
export type KnownHosts = Readonly<Record<Side, KnownHost>>;

/** What makes two asks of an end the same; the ticket does not count. */
export function fingerprintOf(spec: EndSpec): string {
  const bytes = EndSpec.encode({ ...spec, ticket: Buffer.alloc(0), ticketTtlSeconds: 0 }).finish();
  return Buffer.from(bytes).toString("base64");
}

/** Whether the link's lans are on one host. */
export function isLocal({ a, b }: Pick<LinkInput, "a" | "b">): boolean {
  return a.host === b.host;
}

export function isVxlan({ transport }: Pick<LinkSpec, "transport">): boolean {
  return transport === LinkTransport.LINK_TRANSPORT_VXLAN;
}

/** Whether frames cross the underlay in clear. */
export function isPlain(spec: Pick<LinkSpec, "transport" | "encryption">): boolean {
  return isVxlan(spec) || spec.encryption === LinkEncryption.LINK_ENCRYPTION_NONE;
}

/** The one end of a link between two lans of a host. */
export function localSpec({ name, uid, a, b, spec }: LinkInput): HostSpec {
  return {
    host: a.host,
    spec: EndSpec.fromPartial({
      link: name,
      linkUid: uid,
      lan: a.lan,
      localPeerLan: b.lan,
      role: LinkRole.LINK_ROLE_LISTENER,
      impairment: spec.aToB,
      localPeerImpairment: spec.bToA,
      seed: spec.seed,
      schedule: spec.schedule,
    }),
  };
}

/** Both ends of a link between hosts; the listener's first. */
export function hostSpecs(
  link: LinkInput,
  hosts: KnownHosts,
  listener: Side,
  relay: RelayInput | undefined,
): HostSpec[] {
  const sides: readonly Side[] = listener === "a" ? ["a", "b"] : ["b", "a"];
  return sides.map((side) => {
    const [self, peer] = [hosts[side], hosts[side === "a" ? "b" : "a"]];
    const common = {
      link: link.name,
      linkUid: link.uid,
      lan: link[side].lan,
      role: side === listener ? LinkRole.LINK_ROLE_LISTENER : LinkRole.LINK_ROLE_DIALER,
      transport: link.spec.transport,
      encryption: isVxlan(link.spec) ? LinkEncryption.LINK_ENCRYPTION_NONE : link.spec.encryption,
      peerKeySha256: peer.cableKeySha256,
      ...(isPluggedEnd(link[side].lan)
        ? { carrierHold: link.spec.carrierHold, keepCarrier: link.spec.keepCarrier }
        : {}),
    };
    const carried = isVxlan(link.spec)
      ? { peerIps: [...peer.underlayIps], vxlanId: link.vxlanId }
      : {
          peerAddresses: [...peer.cableAddresses],
          ...sentBy(side, link.spec),
          ...relayed(link, side, { role: side === listener ? "listener" : "dialer", self, relay }),
        };
    return { host: link[side].host, spec: EndSpec.fromPartial({ ...common, ...carried }) };
  });
}

/** What happens to the frames that the end on this side sends. */
function sentBy(side: Side, spec: LinkSpec): Pick<EndSpec, "impairment" | "seed" | "schedule"> {
  const mine = side === "a" ? Direction.DIRECTION_A_TO_B : Direction.DIRECTION_B_TO_A;
  const isMine = ({ direction }: ImpairmentStep): boolean =>
    direction === mine || direction === Direction.DIRECTION_UNSPECIFIED;
  const impairment = side === "a" ? spec.aToB : spec.bToA;
  return { impairment, seed: seedOf(side, spec.seed), schedule: spec.schedule.filter(isMine) };
}

/** Turns the seed of a direction into that of the other; not a number by which `Random` of the agent tells sequences apart. */
const otherDirection = 0x2545f4914f6cdd1dn;

/**
 * Seed of what the end on this side sends. The ends leave things to chance each by itself: with the same seed both would lose the same
 * frames. It follows from the side, since roles may change. 0 stays 0, with which each end picks one.
 */
function seedOf(side: Side, seed: bigint): bigint {
  if (side === "a" || seed === 0n) return seed;
  return BigInt.asIntN(64, seed ^ otherDirection) || 1n;
}

function relayed(
  link: LinkInput,
  side: Side,
  end: { readonly role: RelayRole; readonly self: HostInput; readonly relay: RelayInput | undefined },
): Partial<Pick<EndSpec, "relayAddresses" | "relayTicket">> {
  const { role, self, relay } = end;
  // The hub carries ciphertext only.
  if (relay === undefined || relay.addresses.length === 0 || isPlain(link.spec)) return {};
  return {
    relayAddresses: nearestFirst(relay.addresses, self.nearIps),
    relayTicket: relay.ticketOf({ linkUid: link.uid, role, host: link[side].host, hostUid: self.uid }),
  };
}

/** A hub has an address in each of several networks: what is nearest to one of the host's own comes first. */
function nearestFirst(addresses: readonly string[], ips: readonly string[]): string[] {
  const nearness = (address: string): number =>
    Math.max(0, ...ips.map((ip) => sharedPrefixBits(splitAddress(address).host, ip)));
  return addresses.toSorted((left, right) => nearness(right) - nearness(left));
}
