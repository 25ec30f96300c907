import { letsNothingPass } from "../../../lib/impairment.js";
import { quote } from "../../../lib/names.js";
import type { EndRecord } from "../protocol/end-record.js";
import type { EndView } from "../protocol/engine-protocol.js";
import type { ReadyConnection } from "../handshake/dial.js";
import type { Counters } from "../impair/counters.js";
import { inForceAt } from "../impair/schedule.js";
import type { EndState } from "./link-state.js";
import type { Figures } from "../frames/stats.js";
import { cipherSuite } from "../frames/tls-record.js";
import type { CloseCause } from "../threads/worker-protocol.js";

/** What an end's view is made from. */
export interface EndParts
  extends Pick<EndView, "connects" | "needsTicket" | "tap" | "txBps" | "rxBps" | "direct" | "directReason"> {
  readonly record: EndRecord;
  readonly state: EndState;
  readonly connection: ReadyConnection | undefined;
  readonly figures: Figures;
  /** Of the impairment. */
  readonly counters: Counters;
}

/** An end as the agent is told of it. Figures of a connection are told only while there is one. */
export function endView({ record, state, connection, figures, counters: impaired, ...parts }: EndParts): EndView {
  const { tapDrops: _drops, ...impairment } = impaired;
  const { link, linkUid, lan, role, pairing, offered = [] } = record;
  const { phase, reason, cause, sinceMs, nextTryMs } = state;
  const { silentMs: _silent, probesSent: _sent, probesAnswered: _answered, ...told } = figures;
  const { rttMs, rttP99Ms, lossRatio, mtuProven, ...counters } = told;
  const up = connection !== undefined;
  return {
    ...parts,
    ...counters,
    link,
    linkUid,
    lan,
    role,
    phase,
    reason,
    cause,
    sinceMs,
    ...(connection === undefined ? {} : { path: connection.path }),
    ...(nextTryMs === undefined ? {} : { nextTryMs }),
    paired: pairing !== undefined || offered.length > 0,
    localAddress: connection?.localAddress ?? "",
    remoteAddress: connection?.remoteAddress ?? "",
    protection: protectionOf(connection),
    ...(up && rttMs > 0 ? { rttMs, rttP99Ms } : {}),
    lossRatio: up ? lossRatio : 0,
    mtuProven: up ? mtuProven : 0,
    ...(record.impairment === undefined ? {} : { impairment }),
    blocked: isBlocked(record.impairment, Date.now()),
  };
}

function isBlocked(impairment: EndRecord["impairment"], nowMs: number): boolean {
  if (impairment === undefined) return false;
  const { standing, steps, setMs } = impairment;
  return letsNothingPass(inForceAt(standing, steps, nowMs - setMs).settings);
}

function protectionOf(connection: ReadyConnection | undefined): string {
  if (connection === undefined) return "";
  return connection.established.tls === undefined ? "none" : `TLSv1.3 ${cipherSuite}`;
}

/** Why a connection ended, for people. */
export function reasonOf(cause: CloseCause): string {
  switch (cause.kind) {
    case "peer":
      return `peer says ${quote(cause.text)}`;
    case "reset":
      return `the connection was lost (${cause.text})`;
    case "silent":
    case "protocol":
    case "local":
      return cause.text;
  }
}
