import { type LinkEnd, LinkPath, LinkRole, LinkState, LinkStatus } from "../../proto/gen/zor/v1/link.js";

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
  /** Why the end could not be prepared; empty when it could, or was not tried. */
  readonly problem: string;
}

/** What a link's state is made from. */
export interface MergeInput {
  readonly deleting: boolean;
  readonly a: EndView;
  readonly b: EndView;
  /** Why the link as a whole cannot be set up; empty when it can. */
  readonly problem: string;
  /** The status before, from which the time of the last change of state is kept. */
  readonly previous: LinkStatus | undefined;
  readonly now: Date;
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

interface Verdict {
  readonly state: LinkState;
  readonly reason: string;
}

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
  const { state, reason } = verdictOf(input);
  const ends = [a.end, b.end].filter((end) => end !== undefined);
  const dialer = ends.find(({ role }) => role === LinkRole.LINK_ROLE_DIALER);
  const measured = dialer?.rtt === undefined ? ends.find(({ rtt }) => rtt !== undefined) : dialer;
  const mtus = ends.map(({ mtuProven }) => mtuProven);
  const connected = ends.some(({ remoteAddress }) => remoteAddress !== "") && state !== LinkState.LINK_STATE_DOWN;
  return LinkStatus.fromPartial({
    state,
    reason,
    sinceTime: sinceOf(state, ends) ?? (previous?.state === state ? previous.sinceTime : undefined) ?? now,
    path: connected ? LinkPath.LINK_PATH_DIRECT : LinkPath.LINK_PATH_UNSPECIFIED,
    rtt: measured?.rtt,
    lossRatio: Math.max(0, ...ends.map(({ lossRatio }) => lossRatio)),
    mtuProven: mtus.length === 2 ? Math.min(...mtus) : 0,
    nextTryTime: dialer?.nextTryTime,
    endA: a.end,
    endB: b.end,
  });
}

function verdictOf({ deleting, a, b, problem }: MergeInput): Verdict {
  if (deleting) {
    const waiting = [a, b].filter((view) => !view.current && view.absence !== "").map((view) => view.absence);
    const reason =
      waiting.length === 0 ? "its ends are being removed" : `waits to remove an end: ${waiting.join("; ")}`;
    return { state: LinkState.LINK_STATE_DELETING, reason };
  }
  if (a.current && b.current) return bothKnown(a, b, problem);
  if (a.current) return oneKnown(a, b);
  if (b.current) return oneKnown(b, a);
  return noneKnown(a, b);
}

function bothKnown(a: EndView, b: EndView, problem: string): Verdict {
  const [left, right] = [single(a), single(b)];
  const worst = worse(left, right);
  if (worst.state === LinkState.LINK_STATE_ACTIVE) return { state: worst.state, reason: "" };
  if (problem !== "") return { state: worst.state, reason: problem };
  // The other end, as far as it is not well either, often knows more.
  const both = left.state === right.state ? [left.reason, right.reason] : [worst.reason];
  return { state: worst.state, reason: [...new Set(both.filter((text) => text !== ""))].join("; ") };
}

function oneKnown(known: EndView, missing: EndView): Verdict {
  const verdict = single(known);
  if (verdict.state === LinkState.LINK_STATE_ACTIVE || verdict.state === LinkState.LINK_STATE_DEGRADED) {
    // The far engine answers probes, so the cable lives; but its own side of the story is missing.
    return {
      state: LinkState.LINK_STATE_DEGRADED,
      reason: `frames cross, says ${known.host}; the other end cannot be confirmed: ${missing.absence}`,
    };
  }
  const reasons = [missing.absence, verdict.reason].filter((text) => text !== "");
  return { state: verdict.state, reason: reasons.join("; ") };
}

function noneKnown(a: EndView, b: EndView): Verdict {
  const last = worse(single(a), single(b));
  const wasActive = last.state === LinkState.LINK_STATE_ACTIVE;
  const reason = [a.absence, b.absence, wasActive ? "both ends were active when last seen" : last.reason];
  return {
    state: wasActive ? LinkState.LINK_STATE_DEGRADED : last.state,
    reason: [...new Set(reason.filter((text) => text !== ""))].join("; "),
  };
}

function single({ host, end, current, problem }: EndView): Verdict {
  if (end === undefined) {
    // Nothing is known of the end on a host that does not answer: its absence says so.
    const unknown = current ? `the end on ${host} is not prepared yet` : "";
    return { state: LinkState.LINK_STATE_PENDING, reason: problem === "" ? unknown : `${host}: ${problem}` };
  }
  const reason = [end.reason, problem].find((text) => text !== "") ?? "";
  const known = order.includes(end.state) ? end.state : LinkState.LINK_STATE_PENDING;
  if (reason !== "") return { state: known, reason: `${host}: ${reason}` };
  const mustSay = known === LinkState.LINK_STATE_DOWN || known === LinkState.LINK_STATE_DEGRADED;
  return { state: known, reason: mustSay ? `${host}: its cable engine gives no reason` : "" };
}

function worse(left: Verdict, right: Verdict): Verdict {
  return order.indexOf(left.state) <= order.indexOf(right.state) ? left : right;
}
