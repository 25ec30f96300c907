import { failedPrecondition, invalidArgument, unimplemented } from "../../lib/errors.js";
import type { Handlers } from "../../lib/grpc/service.js";
import { parseId, parseLink } from "../../lib/names.js";
import {
  type CableServiceService,
  DirectPath,
  type EndSpec as EndSpecMessage,
  type EndStatus,
} from "../../proto/gen/zor/agent/v1/cable_service.js";
import {
  LinkCause,
  LinkEncryption,
  LinkPath,
  LinkRole,
  LinkState,
  LinkTransport,
} from "../../proto/gen/zor/v1/link.js";
import { checkPeerAddress } from "../network/c2c/address.js";
import type { CableManager } from "../network/c2c/cable-manager.js";
import type { Encryption, EndSpec } from "../network/c2c/end-record.js";
import type { EndView } from "../network/c2c/engine-protocol.js";

const maxPeerAddresses = 16;
const maxTicketSeconds = 3600;
const uidPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** What the cable service works with. */
export interface CableServiceOptions {
  readonly cables: Pick<CableManager, "ensureEnd" | "deleteEnd" | "list" | "watch" | "enginePid">;
  /** Id of this host. */
  readonly host: string;
  /** Peers on loopback addresses are accepted: only for tests with all hosts in one net namespace. */
  readonly allowLoopbackPeers: boolean;
  /** The host's policy lets links go without encryption. */
  readonly allowPlainLinks: boolean;
}

/** The ends of links on this host, for hubs. */
export function cableService(options: CableServiceOptions): Handlers<typeof CableServiceService> {
  const { cables, host } = options;
  const toStatus = (view: EndView): EndStatus => endStatus(view, host, cables.enginePid);
  return {
    ensureEnd: async ({ end }) => {
      if (end === undefined) throw invalidArgument("end", "must be given");
      return { status: toStatus(await cables.ensureEnd(parseSpec(end, options))) };
    },
    deleteEnd: async ({ link, linkUid }) => {
      parseLink("link", link);
      await cables.deleteEnd(link, linkUid === "" ? "" : parseUid("link_uid", linkUid));
      return {};
    },
    listEnds: async () => ({ ends: cables.list().map(toStatus) }),
    diagnoseEnd: async function* ({ link }) {
      parseLink("link", link);
      throw unimplemented(
        "this agent cannot test the hops of a link yet; the link's state and reason tell what is known",
        link,
      );
    },
    watchEnds: async function* (_request, { signal }) {
      for await (const { ends, removed, snapshot } of cables.watch(signal)) {
        yield { ends: ends.map(toStatus), removed: [...removed], snapshot };
      }
    },
  };
}

function parseSpec(end: EndSpecMessage, options: CableServiceOptions): EndSpec {
  const { allowLoopbackPeers: allowLoopback, allowPlainLinks } = options;
  parseLink("end.link", end.link);
  assertOffered(end);
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
      checkPeerAddress(`end.peer_addresses[${index}]`, address, { allowLoopback });
      return address;
    }),
    peerKeySha256: end.peerKeySha256.toString("hex"),
    ...parseTicket(end),
    ...relay,
    encryption: parseEncryption(end, allowPlainLinks),
  };
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
    checkPeerAddress(`end.relay_addresses[${index}]`, address, { allowLoopback });
  }
  if (relayAddresses.length === 0 || relayTicket.length === 0) return {};
  if (encryption === LinkEncryption.LINK_ENCRYPTION_NONE) {
    throw invalidArgument(
      "end.relay_addresses",
      "must be empty: a link without encryption does not go through the relay",
    );
  }
  return { relayAddresses: [...relayAddresses], relayTicket: relayTicket.toString("hex") };
}

function parseUid(field: string, uid: string): string {
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
      throw failedPrecondition(
        "POLICY",
        link,
        "this host's policy allows encrypted links only; its agent's allowPlainLinks setting changes that",
      );
    case LinkEncryption.UNRECOGNIZED:
      throw invalidArgument("end.encryption", "must be LINK_ENCRYPTION_TLS or LINK_ENCRYPTION_NONE");
  }
}

function assertOffered({ link, transport }: EndSpecMessage): void {
  if (transport !== LinkTransport.LINK_TRANSPORT_UNSPECIFIED && transport !== LinkTransport.LINK_TRANSPORT_TCP) {
    throw failedPrecondition("TRANSPORT_NOT_OFFERED", link, "this host offers LINK_TRANSPORT_TCP only");
  }
}

const states: Readonly<Record<EndView["phase"], LinkState>> = {
  pending: LinkState.LINK_STATE_PENDING,
  probing: LinkState.LINK_STATE_PROBING,
  active: LinkState.LINK_STATE_ACTIVE,
  degraded: LinkState.LINK_STATE_DEGRADED,
  down: LinkState.LINK_STATE_DOWN,
};

const causes: Readonly<Record<EndView["cause"], LinkCause>> = {
  "": LinkCause.LINK_CAUSE_UNSPECIFIED,
  refused: LinkCause.LINK_CAUSE_REFUSED,
  "timed-out": LinkCause.LINK_CAUSE_TIMED_OUT,
  unreachable: LinkCause.LINK_CAUSE_UNREACHABLE,
  certificate: LinkCause.LINK_CAUSE_CERTIFICATE,
  ticket: LinkCause.LINK_CAUSE_TICKET,
  unpaired: LinkCause.LINK_CAUSE_TICKET,
  version: LinkCause.LINK_CAUSE_VERSION,
  "unknown-link": LinkCause.LINK_CAUSE_PEER,
  protocol: LinkCause.LINK_CAUSE_PROTOCOL,
  policy: LinkCause.LINK_CAUSE_POLICY,
  relay: LinkCause.LINK_CAUSE_RELAY,
  lost: LinkCause.LINK_CAUSE_LOST,
  peer: LinkCause.LINK_CAUSE_PEER,
  port: LinkCause.LINK_CAUSE_LAN_GONE,
  engine: LinkCause.LINK_CAUSE_ENGINE,
};

function toPath(path: EndView["path"]): LinkPath {
  if (path === undefined) return LinkPath.LINK_PATH_UNSPECIFIED;
  return path === "direct" ? LinkPath.LINK_PATH_DIRECT : LinkPath.LINK_PATH_RELAYED;
}

function toDirect(direct: boolean | undefined): DirectPath {
  if (direct === undefined) return DirectPath.DIRECT_PATH_UNSPECIFIED;
  return direct ? DirectPath.DIRECT_PATH_OPEN : DirectPath.DIRECT_PATH_CLOSED;
}

function endStatus(view: EndView, host: string, enginePid: number): EndStatus {
  return {
    link: view.link,
    linkUid: view.linkUid,
    paired: view.paired,
    needsTicket: view.needsTicket,
    direct: toDirect(view.direct),
    directReason: view.directReason,
    localPeer: undefined,
    end: {
      lan: `hosts/${host}/lans/${view.lan}`,
      role: view.role === "listener" ? LinkRole.LINK_ROLE_LISTENER : LinkRole.LINK_ROLE_DIALER,
      state: states[view.phase],
      reason: view.reason,
      sinceTime: new Date(view.sinceMs),
      port: view.tap.name,
      localAddress: view.localAddress,
      remoteAddress: view.remoteAddress,
      rtt: view.rttMs === undefined ? undefined : toDuration(view.rttMs),
      lossRatio: view.lossRatio,
      txFrames: BigInt(view.txFrames),
      txBytes: BigInt(view.txBytes),
      rxFrames: BigInt(view.rxFrames),
      rxBytes: BigInt(view.rxBytes),
      droppedQueueFrames: BigInt(view.droppedQueueFrames),
      droppedDownFrames: BigInt(view.droppedDownFrames),
      droppedPortFrames: BigInt(view.droppedPortFrames),
      connects: BigInt(view.connects),
      nextTryTime: view.nextTryMs === undefined ? undefined : new Date(view.nextTryMs),
      mtuProven: view.mtuProven,
      protection: view.protection,
      enginePid: BigInt(enginePid),
      rttP99: view.rttP99Ms === undefined ? undefined : toDuration(view.rttP99Ms),
      txBps: BigInt(view.txBps),
      rxBps: BigInt(view.rxBps),
      path: toPath(view.path),
      impairment: undefined,
      cause: causes[view.cause],
    },
  };
}

function toDuration(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}
