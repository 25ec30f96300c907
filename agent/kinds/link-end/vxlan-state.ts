/** State of an end of a vxlan link, as a value. Times are milliseconds since the epoch. */
export interface VxlanState {
  readonly phase: "probing" | "active" | "down";
  /** For people; empty when active. */
  readonly reason: string;
  /** Why it is down: the policy of the host, or the device or lan; "": it is not. */
  readonly cause: "" | "policy" | "port";
  readonly sinceMs: number;
  /** Frames that had come when last looked at, and when the last of them did; undefined: none has. */
  readonly rxFrames: number;
  readonly lastHeardMs: number | undefined;
  /** When the other end last told that it had got a probe of ours; undefined: it never has. */
  readonly lastAnsweredMs: number | undefined;
}

/** What was seen of the device. */
export interface VxlanSeen {
  /** Why it is not there, not up or not plugged; empty: it is. */
  readonly fault: string;
  /** The host's policy lets it be. */
  readonly allowed: boolean;
  readonly rxFrames: number;
  /** Since the last look the other end has told that it got a probe of ours. */
  readonly answered: boolean;
}

/** The other end sends a probe far more often. */
const silenceMs = 10_000;

const unheard = { lastHeardMs: undefined, lastAnsweredMs: undefined };

/** A new end, of which nothing was seen yet. */
export function initialVxlanState(nowMs: number): VxlanState {
  const reason = "its device is being made";
  return { phase: "down", reason, cause: "port", sinceMs: nowMs, rxFrames: 0, ...unheard };
}

/**
 * The state machine of a vxlan end: down while its device is not plugged; probing until the other end has answered a probe, so that
 * frames have crossed both ways; active for as long as it answers.
 */
export function nextVxlanState(state: VxlanState, seen: VxlanSeen, nowMs: number): VxlanState {
  const { fault, rxFrames, allowed, answered } = seen;
  // A device that is made anew counts from the beginning.
  const heard = rxFrames > state.rxFrames || (rxFrames > 0 && rxFrames < state.rxFrames);
  const lastHeardMs = heard ? nowMs : state.lastHeardMs;
  const lastAnsweredMs = answered ? nowMs : state.lastAnsweredMs;
  const next = { ...state, rxFrames, lastHeardMs, lastAnsweredMs };
  if (!allowed) return down(next, "policy", "this host's policy allows encrypted links only", nowMs);
  if (fault !== "") return down(next, "port", fault, nowMs);
  if (lastHeardMs === undefined) {
    return enter(next, "probing", "waiting for a frame of the other end", nowMs);
  }
  if (nowMs - lastHeardMs > silenceMs) {
    return enter(next, "probing", `nothing came from the other end for ${silenceMs / 1000} s or more`, nowMs);
  }
  const oneWay = "frames of the other end come, but it does not get ours";
  if (lastAnsweredMs === undefined) return enter(next, "probing", `${oneWay}, or has not told yet`, nowMs);
  if (nowMs - lastAnsweredMs > silenceMs) {
    return enter(next, "probing", `${oneWay}: it has answered none for ${silenceMs / 1000} s or more`, nowMs);
  }
  return enter(next, "active", "", nowMs);
}

function down(state: VxlanState, cause: VxlanState["cause"], reason: string, nowMs: number): VxlanState {
  return { ...enter({ ...state, ...unheard }, "down", reason, nowMs), cause };
}

function enter(state: VxlanState, phase: VxlanState["phase"], reason: string, nowMs: number): VxlanState {
  return { ...state, phase, reason, cause: "", sinceMs: state.phase === phase ? state.sinceMs : nowMs };
}
