import { describe, expect, test } from "vitest";
import { blockedOf } from "../../../../../../hub/kinds/link/observed/blocked.js";
import { type EndView, type MergeInput, mergeLink } from "../../../../../../hub/kinds/link/observed/merge.js";
import { Impairment, ImpairmentStep } from "../../../../../../proto/gen/zor/v1/impairment.js";
import {
  LinkCause,
  LinkEnd,
  LinkPath,
  LinkRole,
  LinkSpec,
  LinkState,
  LinkStatus,
} from "../../../../../../proto/gen/zor/v1/link.js";

type Name = "PENDING" | "PROBING" | "ACTIVE" | "DEGRADED" | "DOWN" | "DELETING";
const stateOf = (name: Name): LinkState => LinkState[`LINK_STATE_${name}`];
const now = new Date("2026-01-01T00:00:00Z");

/** "ACTIVE", "DOWN: reason", "-" for no end; "?" before it: the host does not answer. */
function view(id: string, text: string): EndView {
  const current = !text.startsWith("?");
  const [name = "", reason = ""] = text.replace("?", "").split(": ");
  return {
    host: `hosts/${id}`,
    lan: `hosts/${id}/lans/lan1`,
    end: name === "-" ? undefined : LinkEnd.fromPartial({ state: stateOf(name as Name), reason }),
    current,
    absence: current ? "" : `hosts/${id} is unreachable`,
    problem: undefined,
  };
}

function merge(a: string, b: string, changes: Partial<MergeInput> = {}): LinkStatus {
  return mergeLink({
    deleting: false,
    a: view("a", a),
    b: view("b", b),
    problem: undefined,
    fault: undefined,
    relayedBytes: 0n,
    previous: undefined,
    now,
    ...changes,
  });
}

describe("the state of a link from both ends", () => {
  test.each<[string, string, Name, string]>([
    ["ACTIVE", "ACTIVE", "ACTIVE", ""],
    ["ACTIVE", "PROBING", "PROBING", ""],
    ["PROBING", "ACTIVE", "PROBING", ""],
    ["ACTIVE", "DEGRADED: loss 20 %", "DEGRADED", "hosts/b: loss 20 %"],
    ["ACTIVE", "DOWN: refused", "DOWN", "hosts/b: refused"],
    ["DOWN: refused", "ACTIVE", "DOWN", "hosts/a: refused"],
    ["DOWN: no dialer came", "DOWN: timed out", "DOWN", "hosts/a: no dialer came; hosts/b: timed out"],
    ["PROBING", "DOWN: refused", "DOWN", "hosts/b: refused"],
    ["-", "-", "PENDING", "the end on hosts/a is not prepared yet; the end on hosts/b is not prepared yet"],
    ["ACTIVE", "-", "PENDING", "the end on hosts/b is not prepared yet"],
    ["PENDING", "ACTIVE", "PENDING", ""],
    // One host does not answer: what the other sees is told, and never as ACTIVE.
    [
      "ACTIVE",
      "?ACTIVE",
      "DEGRADED",
      "frames cross, says hosts/a; the other end cannot be confirmed: hosts/b is unreachable",
    ],
    [
      "?ACTIVE",
      "ACTIVE",
      "DEGRADED",
      "frames cross, says hosts/b; the other end cannot be confirmed: hosts/a is unreachable",
    ],
    [
      "ACTIVE",
      "?-",
      "DEGRADED",
      "frames cross, says hosts/a; the other end cannot be confirmed: hosts/b is unreachable",
    ],
    ["DOWN: timed out", "?ACTIVE", "DOWN", "hosts/b is unreachable; hosts/a: timed out"],
    ["PROBING", "?ACTIVE", "PROBING", "hosts/b is unreachable"],
    ["-", "?-", "PENDING", "hosts/b is unreachable; the end on hosts/a is not prepared yet"],
    // Neither answers.
    [
      "?ACTIVE",
      "?ACTIVE",
      "DEGRADED",
      "hosts/a is unreachable; hosts/b is unreachable; both ends were active when last seen",
    ],
    ["?ACTIVE", "?DOWN: refused", "DOWN", "hosts/a is unreachable; hosts/b is unreachable; hosts/b: refused"],
    ["?-", "?-", "PENDING", "hosts/a is unreachable; hosts/b is unreachable"],
  ])("%s and %s make %s", (a, b, state, reason) => {
    expect(merge(a, b)).toMatchObject({ state: stateOf(state), reason });
  });

  const names: Name[] = ["PENDING", "PROBING", "ACTIVE", "DEGRADED", "DOWN"];
  const told = [...names, "-"].flatMap((name) => [name, `?${name}`]);
  test("of all pairs of ends, only two that are ACTIVE now make ACTIVE", () => {
    const active = told.flatMap((a) =>
      told.filter((b) => merge(a, b).state === stateOf("ACTIVE")).map((b) => `${a} ${b}`),
    );
    expect(active).toEqual(["ACTIVE ACTIVE"]);
  });

  test("DOWN and DEGRADED never come without a reason, even when the engines give none", () => {
    const states = [stateOf("DOWN"), stateOf("DEGRADED")];
    const silent = told.flatMap((a) =>
      told
        .filter((b) => {
          const { state, reason } = merge(a, b);
          return states.includes(state) && reason === "";
        })
        .map((b) => `${a} ${b}`),
    );
    expect(silent).toEqual([]);
  });

  test("a refusal of an end, and an obstacle to the whole, are told", () => {
    const cause = LinkCause.LINK_CAUSE_POLICY;
    const refused = { ...view("b", "-"), problem: { cause, reason: "the agent's policy forbids links" } };
    expect(merge("ACTIVE", "-", { b: refused })).toMatchObject({
      cause,
      reason: "hosts/b: the agent's policy forbids links",
    });
    expect(merge("DOWN: waits for the other", "-", { b: refused })).toMatchObject({
      state: stateOf("DOWN"),
      cause,
      reason: "hosts/b: the agent's policy forbids links; hosts/a: waits for the other",
    });
    const problem = { cause: LinkCause.LINK_CAUSE_UNREACHABLE, reason: "neither can be reached" };
    expect(merge("-", "-", { problem })).toMatchObject(problem);
  });

  test("one that is being deleted is DELETING whatever its ends say, and names the host it waits for", () => {
    expect(merge("ACTIVE", "ACTIVE", { deleting: true }).state).toBe(stateOf("DELETING"));
    expect(merge("-", "?ACTIVE", { deleting: true }).reason).toBe("waits to remove an end: hosts/b is unreachable");
  });

  test("since_time is when the ends say: up since the second end is up, down since the first is down", () => {
    const at = (hour: number): Date => new Date(Date.UTC(2025, 0, 1, hour));
    const told = (id: string, text: Name, hour: number): EndView => ({
      ...view(id, text),
      end: LinkEnd.fromPartial({ state: stateOf(text), sinceTime: at(hour) }),
    });
    const since = (a: EndView, b: EndView) => merge("ACTIVE", "ACTIVE", { a, b }).sinceTime;
    expect(since(told("a", "ACTIVE", 1), told("b", "ACTIVE", 2))).toEqual(at(2));
    expect(since(told("a", "DOWN", 4), told("b", "DOWN", 3))).toEqual(at(3));
    expect(since(told("a", "ACTIVE", 1), told("b", "DOWN", 5))).toEqual(at(5));
  });

  test("since_time of a state that no end tells is kept while it lasts and set when it changes", () => {
    const before = new Date("2025-01-01T00:00:00Z");
    const previous = LinkStatus.fromPartial({ state: stateOf("DEGRADED"), sinceTime: before });
    expect(merge("ACTIVE", "?ACTIVE", { previous }).sinceTime).toEqual(before);
    expect(merge("-", "?-", { previous }).sinceTime).toEqual(now);
  });

  const ended = (id: string, end: Partial<LinkEnd>): EndView => ({
    ...view(id, "-"),
    end: LinkEnd.fromPartial({ state: stateOf("ACTIVE"), ...end }),
  });

  test("what is wrong with the quality degrades a link that both ends call active, and no other", () => {
    const fault = { cause: LinkCause.LINK_CAUSE_LOSS, reason: "5.0 % of the probes are lost or late" };
    expect(merge("ACTIVE", "ACTIVE", { fault })).toMatchObject({ state: stateOf("DEGRADED"), ...fault });
    expect(merge("ACTIVE", "DOWN: refused", { fault })).toMatchObject({ state: stateOf("DOWN") });
  });

  test.each<[string, Partial<LinkEnd>, Partial<LinkEnd>, LinkCause]>([
    ["of the worse end", { cause: 0 }, { state: stateOf("DOWN"), cause: LinkCause.LINK_CAUSE_REFUSED }, 1],
    [
      "of the end that knows it, when both are down",
      { state: stateOf("DOWN"), cause: 0 },
      { state: stateOf("DOWN"), cause: LinkCause.LINK_CAUSE_CERTIFICATE },
      LinkCause.LINK_CAUSE_CERTIFICATE,
    ],
    ["none when it is active", { cause: 0 }, { cause: 0 }, 0],
  ])("its cause is that %s", (_what, a, b, cause) => {
    expect(merge("-", "-", { a: ended("a", a), b: ended("b", b) }).cause).toBe(cause);
  });

  test("its cause is the host when one does not answer", () => {
    expect(merge("ACTIVE", "?ACTIVE").cause).toBe(LinkCause.LINK_CAUSE_HOST);
    expect(merge("?ACTIVE", "?ACTIVE").cause).toBe(LinkCause.LINK_CAUSE_HOST);
  });

  test("path and throughput are what the ends tell; while they differ about the path, the dialer decides", () => {
    const a = ended("a", { role: LinkRole.LINK_ROLE_LISTENER, path: LinkPath.LINK_PATH_RELAYED, txBps: 8n, rxBps: 3n });
    const b = ended("b", { role: LinkRole.LINK_ROLE_DIALER, path: LinkPath.LINK_PATH_DIRECT, txBps: 4n, rxBps: 7n });
    const expected = { path: LinkPath.LINK_PATH_DIRECT, aToBBps: 8n, bToABps: 4n, relayedBytes: 99n };
    expect(merge("-", "-", { a, b, relayedBytes: 99n })).toMatchObject(expected);
    const down = ended("b", { state: stateOf("DOWN"), path: LinkPath.LINK_PATH_DIRECT });
    expect(merge("-", "-", { a, b: down }).path).toBe(LinkPath.LINK_PATH_UNSPECIFIED);
  });

  test.each([
    ["TLSv1.3", "TLSv1.3", "TLSv1.3"],
    ["TLSv1.3", "", "TLSv1.3"],
    ["TLSv1.3", "none", "none"],
    ["none", "none", "none"],
  ])("ends that say %j and %j of their protection make %j: never better than the weaker", (a, b, protection) => {
    const [left, right] = [ended("a", { protection: a }), ended("b", { protection: b })];
    expect(merge("-", "-", { a: left, b: right }).protection).toBe(protection);
  });

  test("measurements come from the dialer, loss is the worse and MTU the smaller of the two", () => {
    const measured = (id: string, end: Parameters<typeof LinkEnd.fromPartial>[0]): EndView => ({
      ...view(id, "ACTIVE"),
      end: LinkEnd.fromPartial({ state: stateOf("ACTIVE"), remoteAddress: "10.0.0.1:1", ...(end as object) }),
    });
    const status = merge("ACTIVE", "ACTIVE", {
      a: measured("a", {
        role: LinkRole.LINK_ROLE_LISTENER,
        rtt: { seconds: 0n, nanos: 5 },
        lossRatio: 0.2,
        mtuProven: 1500,
      }),
      b: measured("b", {
        role: LinkRole.LINK_ROLE_DIALER,
        rtt: { seconds: 0n, nanos: 7 },
        lossRatio: 0.1,
        mtuProven: 1400,
      }),
    });
    expect(status).toMatchObject({
      rtt: { nanos: 7 },
      lossRatio: 0.2,
      mtuProven: 1400,
      path: LinkPath.LINK_PATH_DIRECT,
    });
  });
});

describe("a link in which nothing passes, as it was asked for", () => {
  test.each<[boolean, boolean, string]>([
    [true, false, "impaired on purpose: nothing passes from hosts/a to hosts/b"],
    [false, true, "impaired on purpose: nothing passes from hosts/b to hosts/a"],
    [true, true, "impaired on purpose: nothing passes in either direction"],
  ])("is not plainly active (a to b %s, b to a %s)", (aToB, bToA, reason) => {
    expect(merge("ACTIVE", "ACTIVE", { blocked: { aToB, bToA } })).toMatchObject({
      state: LinkState.LINK_STATE_DEGRADED,
      cause: LinkCause.LINK_CAUSE_IMPAIRED,
      reason,
      lossRatio: 1,
    });
  });

  test("says first what is wrong with it besides", () => {
    const status = merge("ACTIVE", "DOWN: refused", { blocked: { aToB: true, bToA: false } });
    expect(status).toMatchObject({ state: LinkState.LINK_STATE_DOWN, reason: "hosts/b: refused", lossRatio: 0 });
  });

  test("within one host names the lans", () => {
    const local = { ...view("a", "ACTIVE"), lan: "hosts/a/lans/lan2" };
    const status = merge("ACTIVE", "ACTIVE", { b: local, blocked: { aToB: true, bToA: false } });
    expect(status.reason).toBe("impaired on purpose: nothing passes from hosts/a/lans/lan1 to hosts/a/lans/lan2");
  });
});

const whole = Impairment.fromPartial({ down: true });
const part = Impairment.fromPartial({ lossRatio: 0.5 });

test.each<[string, Partial<LinkSpec>, boolean, boolean, [boolean, boolean]]>([
  ["nothing asked for", {}, false, false, [false, false]],
  ["a direction set down that its end does not know yet", { aToB: whole }, false, false, [true, false]],
  ["all frames lost", { bToA: Impairment.fromPartial({ lossRatio: 1 }) }, false, false, [false, true]],
  ["half of the frames lost", { aToB: part, bToA: part }, false, false, [false, false]],
  ["a schedule: only the ends know where it is", { aToB: whole, schedule: [step()] }, false, true, [false, true]],
  ["an end that has not taken it back yet", {}, true, false, [true, false]],
])("nothing passes: %s", (_what, spec, a, b, [aToB, bToA]) => {
  const ends = { a: LinkEnd.fromPartial({ blocked: a }), b: LinkEnd.fromPartial({ blocked: b }) };
  expect(blockedOf(LinkSpec.fromPartial(spec), ends)).toEqual({ aToB, bToA });
});

function step(): ImpairmentStep {
  return ImpairmentStep.fromPartial({ impairment: whole });
}
