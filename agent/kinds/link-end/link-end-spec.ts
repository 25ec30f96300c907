import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { failedPrecondition, invalidArgument, invalidFields, type ZorError } from "../../../lib/errors.js";
import { checkImpairment, checkSchedule } from "../../../lib/impairment.js";
import { parseId, parseLink, quote } from "../../../lib/names.js";
import { isDialAddress, isDnsName } from "../../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../../lib/underlay-address.js";
import type { EndSpec as EndSpecMessage } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkEncryption, LinkRole, LinkTransport } from "../../../proto/gen/zor/v1/link.js";
import { toImpairment, toStep } from "../a2b/a2b-spec.js";
import { checkPeerAddress } from "../../../lib/net/peer-address.js";
import type { Encryption, EndSpec } from "../../engine/protocol/end-record.js";
import type { LocalLinkSpec } from "./local-links.js";
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
const maxTicketSeconds = 3600;
const uidPattern = /^[A-Za-z0-9_-]{1,64}$/;
const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Checks what an end is asked to be. @throws {ZorError} INVALID_ARGUMENT that names the field; FAILED_PRECONDITION: not offered here. */
export function parseEndSpec(end: EndSpecMessage, policy: LinkPolicy): LinkEndSpec {
  parseLink("end.link", end.link);
  parseUid("end.link_uid", end.linkUid);
  parseId("end.lan", end.lan);
  const violations = [
    ...checkImpairment("end.impairment", end.impairment),
    ...checkImpairment("end.local_peer_impairment", end.localPeerImpairment),
    ...checkSchedule("end.schedule", end.schedule),
  ];
  if (violations.length > 0) throw invalidFields(violations, end.link);
  if (end.localPeerLan !== "") return { kind: "local", spec: parseLocalSpec(end) };
  if (end.transport === LinkTransport.LINK_TRANSPORT_VXLAN) return { kind: "vxlan", spec: parseVxlanSpec(end, policy) };
  assertOffered(end);
  return { kind: "cable", spec: parseCableSpec(end, policy) };
}

function parseLocalSpec(end: EndSpecMessage): LocalLinkSpec {
  const { link, linkUid, lan, seed, schedule } = end;
  const other = parseId("end.local_peer_lan", end.localPeerLan);
  if (other === lan) throw invalidArgument("end.local_peer_lan", "must be another lan than the end's");
  const { peerAddresses, relayAddresses, peerIps } = end;
  if (end.ticket.length + peerAddresses.length + relayAddresses.length + peerIps.length > 0) {
    throw invalidArgument("end.local_peer_lan", "an end with it has no peer, no ticket and no relay");
  }
  return { link, linkUid, lanA: lan, lanB: other, aToB: end.impairment, bToA: end.localPeerImpairment, seed, schedule };
}

function parseVxlanSpec(
  end: EndSpecMessage,
  { allowPlainLinks, vxlanMissing, allowLoopbackPeers }: LinkPolicy,
): VxlanSpec {
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

function assertOffered({ link, transport }: EndSpecMessage): void {
  if (transport !== LinkTransport.LINK_TRANSPORT_UNSPECIFIED && transport !== LinkTransport.LINK_TRANSPORT_TCP) {
    throw failedPrecondition("TRANSPORT_NOT_OFFERED", link, "this host does not know this transport");
  }
}

/** Checks an end of a cable and gives it as the engine takes it. @throws {ZorError} INVALID_ARGUMENT; FAILED_PRECONDITION: policy. */
function parseCableSpec(end: EndSpecMessage, options: LinkPolicy): EndSpec {
  const { allowLoopbackPeers: allowLoopback, allowPlainLinks } = options;
  const role = parseRole(end.role);
  if (end.peerAddresses.length > maxPeerAddresses) {
    throw invalidArgument("end.peer_addresses", `at most ${maxPeerAddresses} addresses`);
  }
  const relay = parseRelay(end, allowLoopback);
  if (role === "dialer" && end.peerAddresses.length === 0 && relay.relayTicket === undefined) {
    throw invalidArgument("end.peer_addresses", "a dialer needs an address of the other host, or a relay");
  }
  if (end.peerKeySha256.length !== 32) throw invalidArgument("end.peer_key_sha256", "must be 32 bytes");
  return {
    link: end.link,
    linkUid: parseUid("end.link_uid", end.linkUid),
    lan: parseId("end.lan", end.lan),
    role,
    peerAddresses: end.peerAddresses.map((address, index) => {
      checkPeer(`end.peer_addresses[${index}]`, address, allowLoopback);
      return address;
    }),
    peerKeySha256: end.peerKeySha256.toString("hex"),
    ...parseTicket(end),
    ...relay,
    encryption: parseEncryption(end, allowPlainLinks),
    ...impairmentOf(end),
  };
}

/** What happens to the frames the end sends. The same wishes have the same revision: to repeat them does not begin them again. */
function impairmentOf({ impairment, schedule, seed }: EndSpecMessage): Pick<EndSpec, "impairment"> {
  if (impairment === undefined && schedule.length === 0) return {};
  const order = { standing: toImpairment(impairment), steps: schedule.map(toStep), seed: String(seed) };
  const revision = createHash("sha256").update(JSON.stringify(order)).digest("hex");
  return { impairment: { ...order, revision } };
}

function parseTicket(end: EndSpecMessage): Pick<EndSpec, "ticket" | "ticketTtlSeconds"> {
  if (end.ticket.length === 0) return { ticketTtlSeconds: maxTicketSeconds };
  if (end.ticket.length !== 32) throw invalidArgument("end.ticket", "must be 32 bytes, or empty");
  const seconds = end.ticketTtlSeconds;
  if (seconds < 1 || seconds > maxTicketSeconds) {
    throw invalidArgument("end.ticket_ttl_seconds", `must be 1 to ${maxTicketSeconds}`);
  }
  return { ticket: end.ticket.toString("hex"), ticketTtlSeconds: seconds };
}

/** A relay is used only with both addresses and ticket. */
function parseRelay(end: EndSpecMessage, allowLoopback: boolean): Pick<EndSpec, "relayAddresses" | "relayTicket"> {
  const { relayAddresses, relayTicket, encryption } = end;
  if (relayAddresses.length > maxPeerAddresses) {
    throw invalidArgument("end.relay_addresses", `at most ${maxPeerAddresses} addresses`);
  }
  if (relayTicket.length !== 0 && relayTicket.length !== 32) {
    throw invalidArgument("end.relay_ticket", "must be 32 bytes, or empty");
  }
  for (const [index, address] of relayAddresses.entries()) {
    checkPeer(`end.relay_addresses[${index}]`, address, allowLoopback);
  }
  if (relayAddresses.length === 0 || relayTicket.length === 0) return {};
  if (!uuidPattern.test(end.linkUid)) throw invalidArgument("end.link_uid", "must be a UUID for the relay");
  if (encryption === LinkEncryption.LINK_ENCRYPTION_NONE) {
    throw invalidArgument(
      "end.relay_addresses",
      "must be empty: a link without encryption does not go through the relay",
    );
  }
  return { relayAddresses: [...relayAddresses], relayTicket: relayTicket.toString("hex") };
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

function parseRole(role: LinkRole): EndSpec["role"] {
  if (role === LinkRole.LINK_ROLE_LISTENER) return "listener";
  if (role === LinkRole.LINK_ROLE_DIALER) return "dialer";
  throw invalidArgument("end.role", "must be LINK_ROLE_LISTENER or LINK_ROLE_DIALER");
}

function parseEncryption({ link, encryption }: EndSpecMessage, allowPlain: boolean): Encryption {
  switch (encryption) {
    case LinkEncryption.LINK_ENCRYPTION_UNSPECIFIED:
    case LinkEncryption.LINK_ENCRYPTION_TLS:
      return "tls";
    case LinkEncryption.LINK_ENCRYPTION_NONE:
      if (allowPlain) return "none";
      throw plainForbidden(link);
    case LinkEncryption.UNRECOGNIZED:
      throw invalidArgument("end.encryption", "must be LINK_ENCRYPTION_TLS or LINK_ENCRYPTION_NONE");
  }
}
