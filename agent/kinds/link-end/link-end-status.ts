import { letsNothingPass } from "../../../lib/impairment.js";
import { linkEndName } from "../../../lib/link-end.js";
import { DirectPath, type EndStatus } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";
import { LinkCause, LinkEnd, LinkPath, LinkRole, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, HopVerdict } from "../../../proto/gen/zor/v1/link_service.js";
import type { Hop } from "./diagnosis.js";
import type { EndView } from "../../engine/protocol/end-protocol.js";
import type { LocalLinkView } from "./local-link.js";
import type { VxlanView } from "./vxlan-links.js";

/** An end of a cable as clients see it. */
export function cableEndStatus({ status }: EndView, host: string): EndStatus {
  return { ...status, end: { ...status.end, lan: linkEndName(host, status.end.lan) } };
}

const states: Readonly<Record<VxlanView["state"]["phase"], LinkState>> = {
  probing: LinkState.LINK_STATE_PROBING,
  active: LinkState.LINK_STATE_ACTIVE,
  down: LinkState.LINK_STATE_DOWN,
};

const causes: Readonly<Record<VxlanView["state"]["cause"], LinkCause>> = {
  "": LinkCause.LINK_CAUSE_UNSPECIFIED,
  policy: LinkCause.LINK_CAUSE_POLICY,
  port: LinkCause.LINK_CAUSE_LAN_GONE,
};

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

const noStats = ImpairmentStats.create();

function localEnd(
  { box, awaySinceMs }: LocalLinkView,
  side: 0 | 1,
  { host, enginePid }: { readonly host: string; readonly enginePid: number },
): LinkEnd {
  const away = awaySinceMs !== undefined;
  const { status } = box;
  const { name: port, lan } = box.ports[side];
  const ways = [
    { stats: status.aToB ?? noStats, bps: box.aToBBps, inForce: status.currentAToB },
    { stats: status.bToA ?? noStats, bps: box.bToABps, inForce: status.currentBToA },
  ] as const;
  const [sent, received] = side === 0 ? ways : [ways[1], ways[0]];
  const active = !away && status.state === A2bState.A2B_STATE_ACTIVE;
  return LinkEnd.fromPartial({
    lan: `hosts/${host}/lans/${lan}`,
    role: LinkRole.LINK_ROLE_LISTENER,
    state: active ? LinkState.LINK_STATE_ACTIVE : LinkState.LINK_STATE_DOWN,
    reason: away ? "the cable engine of this host ended and is being started again" : status.reason,
    cause: active
      ? LinkCause.LINK_CAUSE_UNSPECIFIED
      : away
        ? LinkCause.LINK_CAUSE_ENGINE
        : LinkCause.LINK_CAUSE_LAN_GONE,
    sinceTime: away ? new Date(awaySinceMs) : status.sinceTime,
    port,
    txFrames: sent.stats.outFrames,
    txBytes: sent.stats.outBytes,
    rxFrames: received.stats.outFrames,
    rxBytes: received.stats.outBytes,
    droppedQueueFrames: sent.stats.droppedQueueFrames,
    droppedDownFrames: sent.stats.droppedDownFrames,
    droppedPortFrames: sent.stats.droppedPortFrames,
    enginePid: BigInt(enginePid),
    txBps: away ? 0n : sent.bps,
    rxBps: away ? 0n : received.bps,
    path: active ? LinkPath.LINK_PATH_LOCAL : LinkPath.LINK_PATH_UNSPECIFIED,
    impairment: sent.stats,
    blocked: letsNothingPass(sent.inForce),
  });
}
