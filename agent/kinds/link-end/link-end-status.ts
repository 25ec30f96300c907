import { toDuration } from "../../../lib/duration.js";
import { letsNothingPass } from "../../../lib/impairment.js";
import { DirectPath, type EndStatus } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkCause, LinkEnd, LinkPath, LinkRole, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, HopVerdict } from "../../../proto/gen/zor/v1/link_service.js";
import { toStats } from "../a2b/a2b-status.js";
import type { Hop } from "./diagnosis.js";
import type { EndView } from "../../engine/protocol/engine-protocol.js";
import type { LocalLinkView } from "./local-links.js";
import type { VxlanView } from "./vxlan-links.js";

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

/** An end of a cable as clients see it. */
export function cableEndStatus(view: EndView, host: string, enginePid: number): EndStatus {
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
      role: toRole(view.role),
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
      impairment: view.impairment === undefined ? undefined : toStats(view.impairment),
      cause: causes[view.cause],
      blocked: view.blocked,
    },
  };
}

/** An end of a vxlan link as clients see it. */
export function vxlanEndStatus(view: VxlanView, host: string): EndStatus {
  const { spec, state, device } = view;
  const up = state.phase !== "down";
  return {
    link: spec.link,
    linkUid: spec.linkUid,
    paired: true,
    needsTicket: false,
    direct: DirectPath.DIRECT_PATH_UNSPECIFIED,
    directReason: "",
    localPeer: undefined,
    end: LinkEnd.fromPartial({
      lan: `hosts/${host}/lans/${spec.lan}`,
      role: toRole(spec.role),
      state: states[state.phase],
      reason: state.reason,
      cause: causes[state.cause],
      sinceTime: new Date(state.sinceMs),
      port: view.port,
      remoteAddress: up ? view.remoteAddress : "",
      txFrames: BigInt(device?.txFrames ?? 0),
      txBytes: BigInt(device?.txBytes ?? 0),
      rxFrames: BigInt(device?.rxFrames ?? 0),
      rxBytes: BigInt(device?.rxBytes ?? 0),
      droppedQueueFrames: BigInt(device?.droppedFrames ?? 0),
      protection: up ? "none" : "",
      txBps: BigInt(view.txBps),
      rxBps: BigInt(view.rxBps),
      path: up ? LinkPath.LINK_PATH_DIRECT : LinkPath.LINK_PATH_UNSPECIFIED,
    }),
  };
}

function toRole(role: "listener" | "dialer"): LinkRole {
  return role === "listener" ? LinkRole.LINK_ROLE_LISTENER : LinkRole.LINK_ROLE_DIALER;
}

const verdicts: Readonly<Record<Hop["verdict"], HopVerdict>> = {
  ok: HopVerdict.HOP_VERDICT_OK,
  warning: HopVerdict.HOP_VERDICT_WARNING,
  broken: HopVerdict.HOP_VERDICT_BROKEN,
  skipped: HopVerdict.HOP_VERDICT_SKIPPED,
};

/** A tested hop as clients see it. */
export function toHop({ hop, verdict, detail, remedy }: Hop, host: string): DiagnosedHop {
  return { host: `hosts/${host}`, hop, verdict: verdicts[verdict], detail, remedy };
}

/** Both ends of a link between two lans of this host, as clients see them. */
export function localEndStatus(view: LocalLinkView, host: string, enginePid: number): EndStatus {
  return {
    link: view.link,
    linkUid: view.linkUid,
    paired: true,
    needsTicket: false,
    direct: DirectPath.DIRECT_PATH_UNSPECIFIED,
    directReason: "",
    end: localEnd(view, 0, { host, enginePid }),
    localPeer: localEnd(view, 1, { host, enginePid }),
  };
}

function localEnd(
  { box, awaySinceMs }: LocalLinkView,
  side: 0 | 1,
  { host, enginePid }: { readonly host: string; readonly enginePid: number },
): LinkEnd {
  const away = awaySinceMs !== undefined;
  const { spec, sides } = box;
  const own = sides[side];
  const [sent, received] = side === 0 ? sides.map(({ counters }) => counters) : [sides[1].counters, sides[0].counters];
  const active = !away && box.active;
  return {
    lan: `hosts/${host}/lans/${spec.lans[side]}`,
    role: LinkRole.LINK_ROLE_LISTENER,
    state: active ? LinkState.LINK_STATE_ACTIVE : LinkState.LINK_STATE_DOWN,
    reason: away ? "the cable engine of this host ended and is being started again" : box.reason,
    cause: active
      ? LinkCause.LINK_CAUSE_UNSPECIFIED
      : away
        ? LinkCause.LINK_CAUSE_ENGINE
        : LinkCause.LINK_CAUSE_LAN_GONE,
    sinceTime: new Date(awaySinceMs ?? box.sinceMs),
    port: own.port,
    localAddress: "",
    remoteAddress: "",
    rtt: undefined,
    rttP99: undefined,
    lossRatio: 0,
    txFrames: BigInt(sent?.outFrames ?? 0),
    txBytes: BigInt(sent?.outBytes ?? 0),
    rxFrames: BigInt(received?.outFrames ?? 0),
    rxBytes: BigInt(received?.outBytes ?? 0),
    droppedQueueFrames: BigInt(own.counters.droppedQueueFrames),
    droppedDownFrames: BigInt(own.counters.droppedDownFrames),
    droppedPortFrames: BigInt(own.counters.droppedPortFrames),
    connects: 0n,
    nextTryTime: undefined,
    mtuProven: 0,
    protection: "",
    enginePid: BigInt(enginePid),
    txBps: BigInt(away ? 0 : own.outBps),
    rxBps: BigInt(away ? 0 : sides[side === 0 ? 1 : 0].outBps),
    path: active ? LinkPath.LINK_PATH_LOCAL : LinkPath.LINK_PATH_UNSPECIFIED,
    impairment: toStats(own.counters),
    blocked: letsNothingPass(own.inForce),
  };
}
