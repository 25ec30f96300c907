import fc from "fast-check";
import { expect, test } from "vitest";
import { type EndEvent, type EndState, initialState, nextState } from "../../../../../agent/engine/ends/link-state.js";

const attached = (number: number): EndEvent => ({ type: "attached", number, path: "direct" });
const relayed = (number: number): EndEvent => ({ type: "attached", number, path: "relayed" });
const proven = (number: number): EndEvent => ({ type: "proven", number });
const closed = (number: number): EndEvent => ({ type: "closed", number, reason: "it was lost", cause: "lost" });
const failed: EndEvent = { type: "failed", reason: "it was refused", cause: "refused", nextTryMs: 9_000 };
const reset: EndEvent = { type: "reset", reason: "the two ends changed roles" };
const lanGone: EndEvent = { type: "fault", source: "port", text: "lan lan1 does not exist" };
const lanBack: EndEvent = { type: "fault", source: "port", text: "" };
const peerFault: EndEvent = { type: "fault", source: "peer", text: "peer says its lan is gone" };
const silence: EndEvent = { type: "fault", source: "silence", text: "the peer has not answered" };

const probing = "connected; waiting for frames to cross in both directions";

function run(events: readonly EndEvent[]): EndState {
  return events.reduce((state, event, index) => nextState(state, event, 100 * (index + 1)), initialState("dialer", 0));
}

test.each<[string, readonly EndEvent[], EndState["phase"], string, EndState["cause"]]>([
  ["a new end is pending", [], "pending", "connecting to the other host", ""],
  ["a connection alone is not active", [attached(1)], "probing", probing, ""],
  ["frames both ways make it active", [attached(1), proven(1)], "active", "", ""],
  ["a failed first attempt is down", [failed], "down", "it was refused", "refused"],
  ["a lost connection is down", [attached(1), proven(1), closed(1)], "down", "it was lost", "lost"],
  ["down, it can connect again", [failed, attached(1)], "probing", probing, ""],
  ["and be active again", [attached(1), proven(1), closed(1), attached(2), proven(2)], "active", "", ""],
  [
    "late news of an earlier connection change nothing",
    [attached(1), closed(1), proven(1)],
    "down",
    "it was lost",
    "lost",
  ],
  ["without its lan it is degraded", [attached(1), proven(1), lanGone], "degraded", "lan lan1 does not exist", "port"],
  ["never active without its lan", [lanGone, attached(1), proven(1)], "degraded", "lan lan1 does not exist", "port"],
  ["active once the lan is back", [lanGone, attached(1), proven(1), lanBack], "active", "", ""],
  ["a lan that goes while down does not hide why it is down", [failed, lanGone], "down", "it was refused", "refused"],
  [
    "the peer's fault degrades it",
    [attached(1), proven(1), peerFault],
    "degraded",
    "peer says its lan is gone",
    "peer",
  ],
  [
    "the own lan's fault comes first",
    [attached(1), proven(1), peerFault, lanGone],
    "degraded",
    "lan lan1 does not exist",
    "port",
  ],
  [
    "a lost connection takes the peer's fault with it",
    [attached(1), proven(1), peerFault, closed(1), attached(2), proven(2)],
    "active",
    "",
    "",
  ],
  ["silence degrades it", [attached(1), proven(1), silence], "degraded", "the peer has not answered", "timed-out"],
  ["a fault before frames have crossed waits", [attached(1), silence], "probing", probing, ""],
  ["a second connection changes nothing by itself", [attached(1), proven(1), relayed(2)], "active", "", ""],
  [
    "the second takes over when the first is lost",
    [attached(1), proven(1), relayed(2), closed(1)],
    "probing",
    probing,
    "",
  ],
  ["and is active when it was proven", [relayed(1), proven(1), attached(2), proven(2), closed(1)], "active", "", ""],
  ["a second that fails leaves the first", [attached(1), proven(1), attached(2), closed(2)], "active", "", ""],
  [
    "a proven second ends the silence of the first",
    [attached(1), proven(1), silence, relayed(2), proven(2)],
    "active",
    "",
    "",
  ],
  ["a failed attempt while connected changes nothing", [attached(1), proven(1), failed], "active", "", ""],
  ["set up anew it is pending", [attached(1), proven(1), reset], "pending", "the two ends changed roles", ""],
  [
    "what is left of before does not count then",
    [attached(1), proven(1), reset, closed(1)],
    "pending",
    "the two ends changed roles",
    "",
  ],
])("%s", (_what, events, phase, reason, cause) => {
  expect(run(events)).toMatchObject({ phase, reason, cause });
});

test("the path in use is that of the newest proven connection", () => {
  expect(run([relayed(1), proven(1)]).current?.path).toBe("relayed");
  expect(run([relayed(1), proven(1), attached(2)]).current?.path).toBe("relayed");
  expect(run([relayed(1), proven(1), attached(2), proven(2)]).current?.path).toBe("direct");
  expect(run([relayed(1), proven(1), attached(2), proven(2), closed(2)]).current).toBeUndefined();
});

test("the time in a state moves only when the state changes", () => {
  const first = nextState(initialState("dialer", 0), failed, 100);
  const second = nextState(first, { ...failed, reason: "timed out" }, 200);
  expect(second).toMatchObject({ phase: "down", reason: "timed out", sinceMs: 100 });
  expect(nextState(second, attached(1), 300)).toMatchObject({ phase: "probing", sinceMs: 300 });
});

test("the next try is known only while down", () => {
  expect(run([failed]).nextTryMs).toBe(9_000);
  expect(run([failed, attached(1)]).nextTryMs).toBeUndefined();
});

const number = fc.integer({ min: 1, max: 4 });
const anyEvent = fc.oneof(
  number.map(proven),
  number.map(closed),
  fc.constantFrom(failed, reset, lanGone, lanBack, peerFault, silence),
  fc.constantFrom("direct", "relayed").map((path) => ({ type: "attach" as const, path })),
);

/** Events in any order, but connections are numbered as they come, as an end does. */
const history = fc.array(anyEvent, { maxLength: 40 }).map((drafts) => {
  let count = 0;
  return drafts.map((draft): EndEvent => {
    if (draft.type !== "attach") return draft;
    count += 1;
    return { type: "attached", number: count, path: draft.path };
  });
});

test("no order of events makes an end work without frames both ways on the connection in use, or active with a fault", () => {
  fc.assert(
    fc.property(history, (events) => {
      const { phase, current, faults, reason } = run(events);
      if (phase !== "active" && phase !== "degraded") return;
      const since = events.slice(
        events.findIndex((event) => event.type === "attached" && event.number === current?.number),
      );
      expect(current?.proven).toBe(true);
      expect(since).toContainEqual(proven(current?.number ?? 0));
      expect(since).not.toContainEqual(closed(current?.number ?? 0));
      expect(since).not.toContainEqual(reset);
      const faulty = Object.values(faults).some((text) => text !== "");
      expect(faulty).toBe(phase === "degraded");
      expect(reason === "").toBe(phase === "active");
    }),
    { numRuns: 2_000 },
  );
});

test("whatever is not active has a reason, and only what is connected has a connection", () => {
  fc.assert(
    fc.property(history, (events) => {
      const { phase, reason, current, following } = run(events);
      expect(reason === "").toBe(phase === "active");
      expect(current !== undefined).toBe(phase === "active" || phase === "degraded" || phase === "probing");
      for (const one of following) expect(one.number).toBeGreaterThan(current?.number ?? Number.POSITIVE_INFINITY);
    }),
    { numRuns: 2_000 },
  );
});
