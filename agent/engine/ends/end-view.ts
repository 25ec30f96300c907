import { toDuration } from "../../../lib/duration.js";
import { letsNothingPass } from "../../../lib/impairment.js";
import { quote } from "../../../lib/names.js";
import { DirectPath } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { type LinkEnd, LinkPath } from "../../../proto/gen/zor/v1/link.js";
import type { Figures } from "../frames/stats.js";
import { cipherSuite } from "../frames/tls-record.js";
import type { ReadyConnection } from "../handshake/dial.js";
import { startOf } from "../impair/begun.js";
import { type Counters, toStats } from "../impair/counters.js";
import { wishAt } from "../impair/wishes.js";
import type { EndView } from "../protocol/end-protocol.js";
import type { CloseCause } from "../threads/cable-orders.js";
import { type EndRecord, wishesOf } from "./end-record.js";
import type { EndTap } from "./end-tap.js";
import { causes, paths, states } from "./link-words.js";
import type { EndState } from "./link-state.js";

/** What an end's view is made from. */
export interface EndParts {
  readonly record: EndRecord;
  readonly state: EndState;
  readonly connection: ReadyConnection | undefined;
  readonly figures: Figures;
  /** Of the impairment. */
  readonly counters: Counters;
  readonly txBps: number;
  readonly rxBps: number;
  /** Whether the other host's addresses can be reached by this one, and why not; undefined: not tested. */
  readonly direct: { readonly reachable: boolean | undefined; readonly reason: string };
  readonly connects: number;
  readonly needsTicket: boolean;
  readonly tap: ReturnType<EndTap["view"]>;
}

/** An end as the agent is told of it. Figures of a connection are told only while there is one. */
export function endView(parts: EndParts): EndView {
  const { record, needsTicket, direct, tap } = parts;
  const { link, linkUid, lan, carrierHold, keepCarrier } = record.spec;
  return {
    status: {
      ...{ link, linkUid, needsTicket },
      end: linkEnd(parts),
      paired: record.pairing.length + record.offered.length > 0,
      direct: directPathOf(direct.reachable),
      directReason: direct.reason,
      localPeer: undefined,
    },
    port: { ...tap, lan },
    ...{ carrierHold, keepCarrier },
  };
}

function linkEnd({ record, state, connection, figures, counters, ...parts }: EndParts): LinkEnd {
  const { spec, begun } = record;
  const { phase, reason, cause, sinceMs, nextTryMs } = state;
  const { rttMs, rttP99Ms } = figures;
  const up = connection !== undefined;
  const measured = up && rttMs > 0;
  return {
    lan: spec.lan,
    role: spec.role,
    state: states[phase],
    reason,
    cause: causes[cause],
    sinceTime: new Date(sinceMs),
    nextTryTime: nextTryMs === undefined ? undefined : new Date(nextTryMs),
    port: parts.tap.name,
    localAddress: connection?.localAddress ?? "",
    remoteAddress: connection?.remoteAddress ?? "",
    protection: protectionOf(connection),
    path: up ? paths[connection.path] : LinkPath.LINK_PATH_UNSPECIFIED,
    connects: BigInt(parts.connects),
    enginePid: BigInt(process.pid),
    rtt: measured ? toDuration(rttMs) : undefined,
    rttP99: measured ? toDuration(rttP99Ms) : undefined,
    lossRatio: up ? figures.lossRatio : 0,
    mtuProven: up ? figures.mtuProven : 0,
    txFrames: BigInt(figures.txFrames),
    txBytes: BigInt(figures.txBytes),
    rxFrames: BigInt(figures.rxFrames),
    rxBytes: BigInt(figures.rxBytes),
    droppedQueueFrames: BigInt(figures.droppedQueueFrames),
    droppedDownFrames: BigInt(figures.droppedDownFrames),
    droppedPortFrames: BigInt(figures.droppedPortFrames),
    txBps: BigInt(parts.txBps),
    rxBps: BigInt(parts.rxBps),
    impairment: begun === undefined ? undefined : toStats(counters),
    blocked: begun !== undefined && letsNothingPass(wishAt(wishesOf(spec), Date.now() - startOf(begun).setMs)),
  };
}

function directPathOf(reachable: boolean | undefined): DirectPath {
  if (reachable === undefined) return DirectPath.DIRECT_PATH_UNSPECIFIED;
  return reachable ? DirectPath.DIRECT_PATH_OPEN : DirectPath.DIRECT_PATH_CLOSED;
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
