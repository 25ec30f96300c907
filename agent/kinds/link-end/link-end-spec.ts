import { isIP } from "node:net";
import { failedPrecondition, invalidArgument, invalidFields, type ZorError } from "../../../lib/errors.js";
import { checkImpairment, checkSchedule } from "../../../lib/impairment.js";
import { checkCarrierHold, isPluggedEnd, linkEndName, parseLinkEnd } from "../../../lib/link-end.js";
import { parseId, parseLink, quote } from "../../../lib/names.js";
import { isDialAddress, isDnsName } from "../../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../../lib/underlay-address.js";
import type { EndSpec } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkEncryption, LinkRole, LinkTransport } from "../../../proto/gen/zor/v1/link.js";
import { checkEnd } from "../../engine/protocol/end-check.js";
import { checkPeerAddress } from "../../../lib/net/peer-address.js";
import type { LocalLinkSpec } from "./local-link.js";
import type { VxlanSpec } from "./vxlan-links.js";

/** What links this host lets be. */
export interface LinkPolicy {
  /** Peers on loopback addresses are accepted: only for tests with all hosts in one net namespace. */
  readonly allowLoopbackPeers: boolean;
  /** Links may go without encryption. */
  readonly allowPlainLinks: boolean;
  /** Why vxlan devices cannot be made here; empty when they can. */
  readonly vxlanMissing: string;
}

/** What an end is to be: of a cable to another host, of a kernel tunnel to one, or of a link between two lans of this one. */
export type LinkEndSpec =
  | { readonly kind: "cable"; readonly spec: EndSpec }
  | { readonly kind: "local"; readonly spec: LocalLinkSpec }
  | { readonly kind: "vxlan"; readonly spec: VxlanSpec };

const maxPeerAddresses = 16;
const maxVxlanId = 2 ** 24 - 1;
const uidPattern = /^[A-Za-z0-9_-]{1,64}$/;
const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Checks what an end is asked to be. @throws {ZorError} INVALID_ARGUMENT that names the field; FAILED_PRECONDITION: not offered here. */
export function parseEndSpec(end: EndSpec, policy: LinkPolicy): LinkEndSpec {
  parseLink("end.link", end.link);
  parseUid("end.link_uid", end.linkUid);
  // The host does not matter for the form.
  if (isPluggedEnd(end.lan)) {
    parseLinkEnd("end.lan", linkEndName("h", end.lan));
    assertOnlyCable(end);
  } else parseId("end.lan", end.lan);
  if (end.localPeerLan !== "") return { kind: "local", spec: parseLocalSpec(end) };
  if (end.transport === LinkTransport.LINK_TRANSPORT_VXLAN) return { kind: "vxlan", spec: parseVxlanSpec(end, policy) };
  assertOffered(end);
  return { kind: "cable", spec: parseCableSpec(end, policy) };
}

function assertOnlyCable(end: EndSpec): void {
  if (end.localPeerLan !== "") throw invalidArgument("end.local_peer_lan", "must be empty: the end is no lan");
  if (end.transport === LinkTransport.LINK_TRANSPORT_VXLAN)
    throw invalidArgument("end.transport", "must be TCP: the end is no lan");
  checkCarrierHold("end.carrier_hold", end.carrierHold);
}

function parseLocalSpec(end: EndSpec): LocalLinkSpec {
  const { link, linkUid, lan, seed, schedule } = end;
  const violations = [
    ...checkImpairment("end.impairment", end.impairment),
    ...checkImpairment("end.local_peer_impairment", end.localPeerImpairment),
    ...checkSchedule("end.schedule", end.schedule),
  ];
  if (violations.length > 0) throw invalidFields(violations, link);
  const other = parseId("end.local_peer_lan", end.localPeerLan);
  if (other === lan) throw invalidArgument("end.local_peer_lan", "must be another lan than the end's");
  const { peerAddresses, relayAddresses, peerIps } = end;
  if (end.ticket.length + peerAddresses.length + relayAddresses.length + peerIps.length > 0) {
    throw invalidArgument("end.local_peer_lan", "an end with it has no peer, no ticket and no relay");
  }
  return { link, linkUid, lanA: lan, lanB: other, aToB: end.impairment, bToA: end.localPeerImpairment, seed, schedule };
}

function parseVxlanSpec(end: EndSpec, { allowPlainLinks, vxlanMissing, allowLoopbackPeers }: LinkPolicy): VxlanSpec {
  const { link, linkUid, lan, vxlanId, peerIps, impairment, schedule } = end;
  if (!allowPlainLinks) throw plainForbidden(link);
  if (vxlanMissing !== "") {
    throw failedPrecondition("TRANSPORT_NOT_OFFERED", link, `this host cannot carry vxlan: ${vxlanMissing}`);
  }
  if (end.encryption !== LinkEncryption.LINK_ENCRYPTION_NONE) {
    throw invalidArgument("end.encryption", "must be LINK_ENCRYPTION_NONE: a vxlan link is not encrypted");
  }
  if (vxlanId < 1 || vxlanId > maxVxlanId) throw invalidArgument("end.vxlan_id", `must be 1 to ${maxVxlanId}`);
  if (peerIps.length === 0 || peerIps.length > maxPeerAddresses) {
    throw invalidArgument("end.peer_ips", `must be 1 to ${maxPeerAddresses} addresses`);
  }
  for (const [index, ip] of peerIps.entries()) {
    if (isIP(ip) === 0) throw invalidArgument(`end.peer_ips[${index}]`, `${quote(ip)} is not an IP address`);
    const refusal = refusalOfUnderlayIp(ip, { allowLoopback: allowLoopbackPeers });
    if (refusal !== undefined) throw invalidArgument(`end.peer_ips[${index}]`, refusal);
  }
  if (impairment !== undefined || schedule.length > 0) {
    throw invalidArgument("end.impairment", "a vxlan link cannot be impaired; use the TCP transport");
  }
  return { link, linkUid, lan, role: parseRole(end.role), vxlanId, peerIps: [...peerIps] };
}

function plainForbidden(link: string): ZorError {
  return failedPrecondition(
    "POLICY",
    link,
    "this host's policy allows encrypted links only; its agent's allowPlainLinks setting changes that",
  );
}

function assertOffered({ link, transport }: EndSpec): void {
  if (transport !== LinkTransport.LINK_TRANSPORT_UNSPECIFIED && transport !== LinkTransport.LINK_TRANSPORT_TCP) {
    throw failedPrecondition("TRANSPORT_NOT_OFFERED", link, "this host does not know this transport");
  }
}

/** Checks an end of a cable, also against this host's policy. @throws {ZorError} INVALID_ARGUMENT; FAILED_PRECONDITION: policy. */
function parseCableSpec(end: EndSpec, options: LinkPolicy): EndSpec {
  const { allowLoopbackPeers: allowLoopback, allowPlainLinks } = options;
  const violations = checkEnd("end", end);
  if (violations.length > 0) throw invalidFields(violations, end.link);
  const { peerAddresses, relayAddresses, relayTicket } = end;
  // A relay is used only with both addresses and ticket.
  const hasRelay = relayAddresses.length > 0 && relayTicket.length > 0;
  if (end.role === LinkRole.LINK_ROLE_DIALER && peerAddresses.length === 0 && !hasRelay) {
    throw invalidArgument("end.peer_addresses", "a dialer needs an address of the other host, or a relay");
  }
  for (const [index, address] of peerAddresses.entries()) {
    checkPeer(`end.peer_addresses[${index}]`, address, allowLoopback);
  }
  for (const [index, address] of relayAddresses.entries()) {
    checkPeer(`end.relay_addresses[${index}]`, address, allowLoopback);
  }
  const isPlain = end.encryption === LinkEncryption.LINK_ENCRYPTION_NONE;
  if (hasRelay) {
    if (!uuidPattern.test(end.linkUid)) throw invalidArgument("end.link_uid", "must be a UUID for the relay");
    if (isPlain) {
      throw invalidArgument(
        "end.relay_addresses",
        "must be empty: a link without encryption does not go through the relay",
      );
    }
  }
  if (isPlain && !allowPlainLinks) throw plainForbidden(end.link);
  return end;
}

/** A name is judged by what it means when it is dialled. */
function checkPeer(field: string, address: string, allowLoopback: boolean): void {
  if (isDialAddress(address) && isDnsName(address.slice(0, address.lastIndexOf(":")))) return;
  checkPeerAddress(field, address, { allowLoopback });
}

/** @throws {ZorError} INVALID_ARGUMENT */
export function parseUid(field: string, uid: string): string {
  if (uidPattern.test(uid)) return uid;
  throw invalidArgument(field, 'must be 1 to 64 letters, digits, "-" or "_"');
}

function parseRole(role: LinkRole): VxlanSpec["role"] {
  if (role === LinkRole.LINK_ROLE_LISTENER) return "listener";
  if (role === LinkRole.LINK_ROLE_DIALER) return "dialer";
  throw invalidArgument("end.role", "must be LINK_ROLE_LISTENER or LINK_ROLE_DIALER");
}
