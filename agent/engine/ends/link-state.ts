import type { FailureKind } from "../handshake/failure.js";

/** Way of a connection to the other host. */
export type Path = "direct" | "relayed";

/** Why an end is not active, for programs; "": no cause is known or none is needed. */
export type Cause = "" | FailureKind | "port";

/** State of one end, as a value. Times are milliseconds since the epoch. */
export interface EndState {
  readonly phase: "pending" | "probing" | "active" | "degraded" | "down";
  /** For people; empty when active. */
  readonly reason: string;
  readonly cause: Cause;
  readonly sinceMs: number;
  /** When it tries again; undefined when it is connected or does not try by itself. */
  readonly nextTryMs: number | undefined;
  /** The connection in use; undefined: none. */
  readonly current: LiveConnection | undefined;
  /** Connections that may take its place, oldest first. */
  readonly following: readonly LiveConnection[];
  /** What is wrong here and there, whatever the phase: shown as "degraded" once frames cross. */
  readonly faults: Readonly<Record<FaultSource, string>>;
}

/** A connection of an end. Later ones have higher numbers. */
export interface LiveConnection {
  readonly number: number;
  readonly path: Path;
  /** Frames have crossed it in both directions. */
  readonly proven: boolean;
}

/** Where a fault of a connected cable comes from. */
export type FaultSource = "port" | "peer" | "silence";

/** What happens to an end. */
export type EndEvent =
  /** A connection is set up. When there is one already, it takes its place as soon as it is proven. */
  | { readonly type: "attached"; readonly number: number; readonly path: Path }
  /** A probe went to the peer and came back on this connection: frames cross in both directions, and go this way from now on. */
  | { readonly type: "proven"; readonly number: number }
  /** A connection ended. */
  | { readonly type: "closed"; readonly number: number; readonly reason: string; readonly cause: Cause }
  /** A connection could not be set up. */
  | {
      readonly type: "failed";
      readonly reason: string;
      readonly cause: Cause;
      readonly nextTryMs: number | undefined;
    }
  /** The end begins anew, with no connection: it was set up otherwise. */
  | { readonly type: "reset"; readonly reason: string }
  /** A fault came or, with an empty text, went. */
  | { readonly type: "fault"; readonly source: FaultSource; readonly text: string };

const faultCauses: Readonly<Record<FaultSource, Cause>> = { port: "port", peer: "peer", silence: "timed-out" };

/** A new end that waits for its first connection. */
export function initialState(role: "listener" | "dialer", nowMs: number): EndState {
  return {
    phase: "pending",
    reason: role === "listener" ? "waiting for the other host to connect" : "connecting to the other host",
    cause: "",
    sinceMs: nowMs,
    nextTryMs: undefined,
    current: undefined,
    following: [],
    faults: { port: "", peer: "", silence: "" },
  };
}

/**
 * The state machine of an end: pending -> probing -> active <-> degraded, and down from anywhere but while another connection lives.
 * Returns the same object when nothing changes. `sinceMs` moves only when the phase does.
 */
export function nextState(state: EndState, event: EndEvent, nowMs: number): EndState {
  switch (event.type) {
    case "attached":
      return onAttached(state, { number: event.number, path: event.path, proven: false }, nowMs);
    case "proven":
      return onProven(state, event.number, nowMs);
    case "closed":
      return onClosed(state, event, nowMs);
    case "failed":
      if (state.current !== undefined) return state;
      return enter({ ...state, nextTryMs: event.nextTryMs }, { ...event, phase: "down" }, nowMs);
    case "reset":
      return enter(
        { ...state, ...disconnected, faults: ofNoPeer(state), nextTryMs: undefined },
        { phase: "pending", reason: event.reason, cause: "" },
        nowMs,
      );
    case "fault": {
      if (state.faults[event.source] === event.text) return state;
      const faulty = { ...state, faults: { ...state.faults, [event.source]: event.text } };
      return isWorking(state) ? settle(faulty, nowMs) : faulty;
    }
  }
}

const disconnected = { current: undefined, following: [] } as const;

function onAttached(state: EndState, connection: LiveConnection, nowMs: number): EndState {
  if (state.current !== undefined) return { ...state, following: [...state.following, connection] };
  return probe({ ...state, current: connection, faults: ofNoPeer(state), nextTryMs: undefined }, nowMs);
}

function onProven(state: EndState, number: number, nowMs: number): EndState {
  const connection = [state.current, ...state.following].find((one) => one?.number === number);
  if (connection === undefined || connection.proven) return state;
  const following = state.following.filter((one) => one.number > number);
  const silence = "";
  return settle(
    { ...state, current: { ...connection, proven: true }, following, faults: { ...state.faults, silence } },
    nowMs,
  );
}

function onClosed(state: EndState, event: EndEvent & { readonly type: "closed" }, nowMs: number): EndState {
  const following = state.following.filter((one) => one.number !== event.number);
  if (state.current?.number !== event.number) {
    return following.length === state.following.length ? state : { ...state, following };
  }
  const [next, ...rest] = following;
  const left = { ...state, current: next, following: rest, faults: ofNoPeer(state), nextTryMs: undefined };
  return next === undefined ? enter(left, { ...event, phase: "down" }, nowMs) : probe(left, nowMs);
}

function isWorking({ phase }: EndState): boolean {
  return phase === "active" || phase === "degraded";
}

/** What a peer said, and how long it was silent, is of no interest once its connection is gone. */
function ofNoPeer({ faults }: EndState): EndState["faults"] {
  return { ...faults, peer: "", silence: "" };
}

function probe(state: EndState, nowMs: number): EndState {
  const reason = "connected; waiting for frames to cross in both directions";
  return enter(state, { phase: "probing", reason, cause: "" }, nowMs);
}

/** Active, or degraded by the gravest fault. */
function settle(state: EndState, nowMs: number): EndState {
  const source = (["port", "peer", "silence"] as const).find((one) => state.faults[one] !== "");
  if (source === undefined) return enter(state, { phase: "active", reason: "", cause: "" }, nowMs);
  return enter(state, { phase: "degraded", reason: state.faults[source], cause: faultCauses[source] }, nowMs);
}

function enter(state: EndState, to: Pick<EndState, "phase" | "reason" | "cause">, nowMs: number): EndState {
  const { phase, reason, cause } = to;
  return { ...state, phase, reason, cause, sinceMs: state.phase === phase ? state.sinceMs : nowMs };
}
