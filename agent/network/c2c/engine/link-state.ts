/** State of one end, as a value. Times are milliseconds since the epoch. */
export interface EndState {
  readonly phase: "pending" | "probing" | "active" | "degraded" | "down";
  /** For people; empty when active. */
  readonly reason: string;
  readonly sinceMs: number;
  /** When a dialer tries again; undefined when it is connected or does not try by itself. */
  readonly nextTryMs: number | undefined;
  /** What is wrong here and there, whatever the phase: shown as "degraded" once frames cross. */
  readonly faults: Readonly<Record<FaultSource, string>>;
}

/** Where a fault of a connected cable comes from. */
export type FaultSource = "port" | "peer" | "quality";

/** What happens to an end. */
export type EndEvent =
  /** A connection is set up; frames have not yet crossed. */
  | { readonly type: "connected" }
  /** A probe went to the peer and came back, so frames cross in both directions. */
  | { readonly type: "proven" }
  /** The connection ended, or could not be set up. */
  | { readonly type: "failed"; readonly reason: string; readonly nextTryMs: number | undefined }
  /** A fault came or, with an empty text, went. */
  | { readonly type: "fault"; readonly source: FaultSource; readonly text: string };

/** A new end that waits for its first connection. */
export function initialState(role: "listener" | "dialer", nowMs: number): EndState {
  return {
    phase: "pending",
    reason: role === "listener" ? "waiting for the other host to connect" : "connecting to the other host",
    sinceMs: nowMs,
    nextTryMs: undefined,
    faults: { port: "", peer: "", quality: "" },
  };
}

/**
 * The state machine of an end: pending -> probing -> active <-> degraded, and down from anywhere.
 * Returns the same object when nothing changes. `sinceMs` moves only when the phase does.
 */
export function nextState(state: EndState, event: EndEvent, nowMs: number): EndState {
  switch (event.type) {
    case "connected":
      return enter(
        { ...state, nextTryMs: undefined, faults: { ...state.faults, peer: "", quality: "" } },
        "probing",
        "connected; waiting for frames to cross in both directions",
        nowMs,
      );
    case "proven":
      return state.phase === "probing" ? settle(state, nowMs) : state;
    case "failed":
      return enter(
        { ...state, nextTryMs: event.nextTryMs, faults: { ...state.faults, peer: "", quality: "" } },
        "down",
        event.reason,
        nowMs,
      );
    case "fault": {
      if (state.faults[event.source] === event.text) return state;
      const faulty = { ...state, faults: { ...state.faults, [event.source]: event.text } };
      return state.phase === "active" || state.phase === "degraded" ? settle(faulty, nowMs) : faulty;
    }
  }
}

/** Active, or degraded by the gravest fault. */
function settle(state: EndState, nowMs: number): EndState {
  const { port, peer, quality } = state.faults;
  const reason = port || peer || quality;
  return enter(state, reason === "" ? "active" : "degraded", reason, nowMs);
}

function enter(state: EndState, phase: EndState["phase"], reason: string, nowMs: number): EndState {
  return { ...state, phase, reason, sinceMs: state.phase === phase ? state.sinceMs : nowMs };
}
