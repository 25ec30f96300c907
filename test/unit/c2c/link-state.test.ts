import fc from "fast-check";
import { expect, test } from "vitest";
import { type EndEvent, type EndState, initialState, nextState } from "../../../agent/network/c2c/engine/link-state.js";

const connected: EndEvent = { type: "connected" };
const proven: EndEvent = { type: "proven" };
const failed: EndEvent = { type: "failed", reason: "10.0.0.2:7444 refused the connection", nextTryMs: 9_000 };
const lanGone: EndEvent = { type: "fault", source: "port", text: "lan lan1 does not exist" };
const lanBack: EndEvent = { type: "fault", source: "port", text: "" };
const peerFault: EndEvent = { type: "fault", source: "peer", text: "peer says its lan is gone" };
const lossy: EndEvent = { type: "fault", source: "quality", text: "20 % of the probes are lost" };

function run(events: readonly EndEvent[]): EndState {
  return events.reduce((state, event, index) => nextState(state, event, 100 * (index + 1)), initialState("dialer", 0));
}

test.each<[string, readonly EndEvent[], EndState["phase"], string]>([
  ["a new end is pending", [], "pending", "connecting to the other host"],
  [
    "a connection alone is not active",
    [connected],
    "probing",
    "connected; waiting for frames to cross in both directions",
  ],
  ["frames both ways make it active", [connected, proven], "active", ""],
  ["a failed first attempt is down", [failed], "down", "10.0.0.2:7444 refused the connection"],
  ["a lost connection is down", [connected, proven, failed], "down", "10.0.0.2:7444 refused the connection"],
  [
    "down, it can connect again",
    [failed, connected],
    "probing",
    "connected; waiting for frames to cross in both directions",
  ],
  ["and be active again", [connected, proven, failed, connected, proven], "active", ""],
  [
    "late news of an earlier connection changes nothing",
    [failed, proven],
    "down",
    "10.0.0.2:7444 refused the connection",
  ],
  ["without its lan it is degraded", [connected, proven, lanGone], "degraded", "lan lan1 does not exist"],
  ["never active without its lan", [lanGone, connected, proven], "degraded", "lan lan1 does not exist"],
  ["active once the lan is back", [lanGone, connected, proven, lanBack], "active", ""],
  [
    "a lan that goes while down does not hide why it is down",
    [failed, lanGone],
    "down",
    "10.0.0.2:7444 refused the connection",
  ],
  ["the peer's fault degrades it", [connected, proven, peerFault], "degraded", "peer says its lan is gone"],
  ["the own lan's fault comes first", [connected, proven, peerFault, lanGone], "degraded", "lan lan1 does not exist"],
  ["a new connection forgets the peer's fault", [connected, proven, peerFault, connected, proven], "active", ""],
  ["loss degrades it", [connected, proven, lossy], "degraded", "20 % of the probes are lost"],
  [
    "a fault before frames have crossed waits",
    [connected, lossy],
    "probing",
    "connected; waiting for frames to cross in both directions",
  ],
])("%s", (_what, events, phase, reason) => {
  expect(run(events)).toMatchObject({ phase, reason });
});

test("the time in a state moves only when the state changes", () => {
  const first = nextState(initialState("dialer", 0), failed, 100);
  const second = nextState(first, { ...failed, reason: "timed out" }, 200);
  expect(second).toMatchObject({ phase: "down", reason: "timed out", sinceMs: 100 });
  expect(nextState(second, connected, 300)).toMatchObject({ phase: "probing", sinceMs: 300 });
});

test("the next try is known only while down", () => {
  expect(run([failed]).nextTryMs).toBe(9_000);
  expect(run([failed, connected]).nextTryMs).toBeUndefined();
});

test("no order of events makes an end active without connection and proof after it, or with a fault", () => {
  const event = fc.constantFrom(connected, proven, failed, lanGone, lanBack, peerFault, lossy);
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const state = run(events);
      if (state.phase !== "active") return;
      const since = events.slice(events.lastIndexOf(connected));
      expect(since).toContain(connected);
      expect(since).toContain(proven);
      expect(since).not.toContain(failed);
      expect(state.faults).toEqual({ port: "", peer: "", quality: "" });
      expect(state.reason).toBe("");
    }),
  );
});

test("whatever is not active has a reason", () => {
  const event = fc.constantFrom(connected, proven, failed, lanGone, lanBack, peerFault, lossy);
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const { phase, reason } = run(events);
      expect(reason === "").toBe(phase === "active");
    }),
  );
});
