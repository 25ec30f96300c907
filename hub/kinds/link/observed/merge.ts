import {
  LinkCause,
  type LinkEnd,
  LinkPath,
  LinkRole,
  LinkState,
  LinkStatus,
} from "../../../../proto/gen/zor/v1/link.js";
import { type Blocked, blockedText } from "./blocked.js";
import type { QualityFault } from "./quality.js";

/** Why something could not be done for a link. */
export interface Problem {
  readonly cause: LinkCause;
  /** For people. */
  readonly reason: string;
}

/** What the hub knows of one end of a link. */
export interface EndView {
  /** "hosts/{host}". */
  readonly host: string;
  /** "hosts/{host}/lans/{lan}". */
  readonly lan: string;
  /** What the host last told of its end; undefined: it has none. */
  readonly end: LinkEnd | undefined;
  /** The host's agent answers, so that `end` is current. */
  readonly current: boolean;
  /** Why it is not current, for people: "hosts/beta is unreachable since ...". */
  readonly absence: string;
  /** Why the end could not be prepared; undefined when it could, or was not tried. */
  readonly problem: Problem | undefined;
}

/** What a link's state is made from. */
export interface MergeInput {
  readonly deleting: boolean;
  readonly a: EndView;
  readonly b: EndView;
  /** Why the link as a whole cannot be set up; undefined when it can. */
  readonly problem: Problem | undefined;
  /** Where nothing passes because that was asked for; default: nowhere. */
  readonly blocked?: Blocked;
  /** What is wrong although both ends say that frames cross. */
  readonly fault: QualityFault | undefined;
  /** What else is wrong in the lans it joins while it works itself; default: nothing. */
  readonly remark?: string;
  /** Bytes that the hub has relayed for it. */
  readonly relayedBytes: bigint;
  /** The status before, from which the time of the last change of state is kept. */
  readonly previous: LinkStatus | undefined;
  readonly now: Date;
}

interface Verdict {
  readonly state: LinkState;
  readonly reason: string;
  readonly cause: LinkCause;
}

const none = LinkCause.LINK_CAUSE_UNSPECIFIED;
const nowhere: Blocked = { aToB: false, bToA: false };

/** From bad to good: of two ends, the worse one is the state of the link. */
const order = [
  LinkState.LINK_STATE_DOWN,
  LinkState.LINK_STATE_PENDING,
  LinkState.LINK_STATE_PROBING,
  LinkState.LINK_STATE_DEGRADED,
  LinkState.LINK_STATE_ACTIVE,
];

/** The state of a link from what both hosts tell. ACTIVE only when both ends say so, and say so now. */
export function mergeLink(input: MergeInput): LinkStatus {
  const { a, b, previous, now } = input;
  const { state, reason, cause } = verdictOf(input);
  const ends = [a.end, b.end].filter((end) => end !== undefined);
  const dialer = ends.find(({ role }) => role === LinkRole.LINK_ROLE_DIALER);
  const measured = dialer?.rtt === undefined ? ends.find(({ rtt }) => rtt !== undefined) : dialer;
  const mtus = ends.map(({ mtuProven }) => mtuProven);
  const isUp = state !== LinkState.LINK_STATE_DOWN && state !== LinkState.LINK_STATE_PENDING;
  return LinkStatus.fromPartial({
    state,
    reason,
    cause,
    sinceTime: sinceOf(state, ends) ?? (previous?.state === state ? previous.sinceTime : undefined) ?? now,
    path: isUp ? pathOf(dialer, ends) : LinkPath.LINK_PATH_UNSPECIFIED,
    rtt: measured?.rtt,
    rttP99: measured?.rttP99,
    lossRatio: cause === LinkCause.LINK_CAUSE_IMPAIRED ? 1 : Math.max(0, ...ends.map(({ lossRatio }) => lossRatio)),
    mtuProven: mtus.length === 2 ? Math.min(...mtus) : 0,
    nextTryTime: dialer?.nextTryTime,
    aToBBps: a.end?.txBps ?? b.end?.rxBps ?? 0n,
    bToABps: b.end?.txBps ?? a.end?.rxBps ?? 0n,
    relayedBytes: input.relayedBytes,
    protection: isUp ? protectionOf(ends) : "",
    endA: a.end,
    endB: b.end,
  });
}

/** When the link entered a state that its ends themselves tell of: this survives a restart of the hub. */
function sinceOf(state: LinkState, ends: readonly LinkEnd[]): Date | undefined {
  const times = ends
    .filter((end) => end.state === state)
    .map(({ sinceTime }) => sinceTime?.getTime())
    .filter((time) => time !== undefined);
  if (times.length === 0) return undefined;
  // It is up when the second end is, and down when the first is.
  return new Date(state === LinkState.LINK_STATE_ACTIVE ? Math.max(...times) : Math.min(...times));
}

/** While a link moves from one path to another its ends may differ for a moment: the dialer decides. */
function pathOf(dialer: LinkEnd | undefined, ends: readonly LinkEnd[]): LinkPath {
  const told = [dialer, ...ends].find((end) => end !== undefined && end.path !== LinkPath.LINK_PATH_UNSPECIFIED);
  if (told !== undefined) return told.path;
  const connected = ends.some(({ remoteAddress }) => remoteAddress !== "");
  return connected ? LinkPath.LINK_PATH_DIRECT : LinkPath.LINK_PATH_UNSPECIFIED;
}

/** The weaker of what the two ends say: a link is not called protected while one of them sends in clear. */
function protectionOf(ends: readonly LinkEnd[]): string {
  const told = ends.map(({ protection }) => protection).filter((text) => text !== "");
  return told.find((text) => text === "none") ?? told[0] ?? "";
}

function verdictOf(input: MergeInput): Verdict {
  const { deleting, a, b } = input;
  if (deleting) {
    const waiting = [a, b].filter((view) => !view.current && view.absence !== "").map((view) => view.absence);
    const reason =
      waiting.length === 0
        ? "its ends are being removed"
        : `waits to remove an end: ${[...new Set(waiting)].join("; ")}`;
    const cause = waiting.length === 0 ? none : LinkCause.LINK_CAUSE_HOST;
    return { state: LinkState.LINK_STATE_DELETING, reason, cause };
  }
  if (a.current && b.current) return bothKnown(input);
  if (a.current) return oneKnown(a, b);
  if (b.current) return oneKnown(b, a);
  return noneKnown(a, b);
}

function bothKnown({ a, b, problem, fault, remark = "", blocked = nowhere }: MergeInput): Verdict {
  const [left, right] = [single(a), single(b)];
  const worst = worse(left, right);
  if (worst.state === LinkState.LINK_STATE_ACTIVE) {
    // The cable is well, and its own probes cross: what was asked for does not meet them.
    if (blocked.aToB || blocked.bToA) return impaired(a, b, blocked);
    return fault === undefined
      ? { state: worst.state, reason: remark, cause: remark === "" ? none : LinkCause.LINK_CAUSE_DUPLICATE_MAC }
      : { state: LinkState.LINK_STATE_DEGRADED, ...fault };
  }
  if (problem !== undefined) return { state: worst.state, ...problem };
  // An end that could not be prepared is why the other has nobody to talk to; and of two that are equally bad, either may know why.
  const unprepared = isUnprepared(b) ? [right, left] : [left, right];
  const both = left.state === right.state || isUnprepared(a) || isUnprepared(b) ? unprepared : [worst];
  return {
    state: worst.state,
    reason: joined(both.map(({ reason }) => reason)),
    cause: both.map(({ cause }) => cause).find((cause) => cause !== none) ?? none,
  };
}

function impaired(a: EndView, b: EndView, blocked: Blocked): Verdict {
  const names = a.host === b.host ? { a: a.lan, b: b.lan } : { a: a.host, b: b.host };
  return {
    state: LinkState.LINK_STATE_DEGRADED,
    reason: `impaired on purpose: nothing passes ${blockedText(blocked, names)}`,
    cause: LinkCause.LINK_CAUSE_IMPAIRED,
  };
}

function isUnprepared({ end, problem }: EndView): boolean {
  return end === undefined && problem !== undefined;
}

function oneKnown(known: EndView, missing: EndView): Verdict {
  const verdict = single(known);
  if (verdict.state === LinkState.LINK_STATE_ACTIVE || verdict.state === LinkState.LINK_STATE_DEGRADED) {
    // The far engine answers probes, so the cable lives; but its own side of the story is missing.
    return {
      state: LinkState.LINK_STATE_DEGRADED,
      reason: `frames cross, says ${known.host}; the other end cannot be confirmed: ${missing.absence}`,
      cause: LinkCause.LINK_CAUSE_HOST,
    };
  }
  const cause = verdict.cause === none ? LinkCause.LINK_CAUSE_HOST : verdict.cause;
  return { state: verdict.state, reason: joined([missing.absence, verdict.reason]), cause };
}

function noneKnown(a: EndView, b: EndView): Verdict {
  const last = worse(single(a), single(b));
  const wasActive = last.state === LinkState.LINK_STATE_ACTIVE;
  return {
    state: wasActive ? LinkState.LINK_STATE_DEGRADED : last.state,
    reason: joined([a.absence, b.absence, wasActive ? "both ends were active when last seen" : last.reason]),
    cause: LinkCause.LINK_CAUSE_HOST,
  };
}

function single({ host, end, current, problem }: EndView): Verdict {
  if (end === undefined) {
    // Nothing is known of the end on a host that does not answer: its absence says so.
    const unknown = current ? `the end on ${host} is not prepared yet` : "";
    const reason = problem === undefined ? unknown : `${host}: ${problem.reason}`;
    return { state: LinkState.LINK_STATE_PENDING, reason, cause: problem?.cause ?? none };
  }
  const known = order.includes(end.state) ? end.state : LinkState.LINK_STATE_PENDING;
  if (end.reason !== "") return { state: known, reason: `${host}: ${end.reason}`, cause: end.cause };
  if (problem !== undefined) return { state: known, reason: `${host}: ${problem.reason}`, cause: problem.cause };
  const mustSay = known === LinkState.LINK_STATE_DOWN || known === LinkState.LINK_STATE_DEGRADED;
  return { state: known, reason: mustSay ? `${host}: its cable engine gives no reason` : "", cause: end.cause };
}

function worse(left: Verdict, right: Verdict): Verdict {
  return order.indexOf(left.state) <= order.indexOf(right.state) ? left : right;
}

function joined(reasons: readonly string[]): string {
  return [...new Set(reasons.filter((text) => text !== ""))].join("; ");
}
