import { describe, expect, it } from "vitest";
import { HostState } from "../../../../proto/gen/zor/v1/host.js";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { EventSeverity } from "../../../../proto/gen/zor/v1/event.js";
import type { FleetStep } from "../../../../tui/kit/fleet/fleet-step.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { KindTable } from "../../../../tui/kit/kind-table.js";
import { Fleet } from "../../../../tui/kit/fleet/fleet.js";
import { pendingTimeoutMs } from "../../../../tui/kit/fleet/pending.js";
import { createSummary } from "../../../../tui/kit/fleet/summary.js";
import { removed, reset, snapshotEnd, upsert, upsertHost, upsertInstance } from "../steps.js";

const kinds = new KindTable(tuiKinds);
const {
  INSTANCE_STATE_RUNNING: running,
  INSTANCE_STATE_STOPPED: stopped,
  INSTANCE_STATE_FAILED: failed,
} = InstanceState;
const { INSTANCE_STATE_STARTING: starting, INSTANCE_STATE_PAUSED: paused } = InstanceState;
const bookmark: FleetStep = { $case: "bookmark", value: { time: undefined } };
const vm = "hosts/alpha/instances/vm1";

function waitingFor(verb: string, from: InstanceState): Fleet {
  const fleet = new Fleet(kinds, 0);
  fleet.apply(upsertInstance("alpha", "vm1", from), 0);
  const row = fleet.table("instance").find(vm);
  if (row === undefined) throw new Error("the row was just made");
  fleet.markPending(row, verb, 0);
  return fleet;
}

describe("a snapshot", () => {
  it("keeps showing what was known until it is complete, then drops what it did not hold", () => {
    const fleet = new Fleet(kinds, 0);
    fleet.apply(reset, 0);
    fleet.apply(upsertInstance("alpha", "vm1"), 0);
    fleet.apply(upsertInstance("alpha", "vm2"), 0);
    expect(fleet.loaded).toBe(false);
    fleet.apply(snapshotEnd, 0);
    expect(fleet.loaded).toBe(true);
    fleet.apply(reset, 0);
    fleet.apply(upsertInstance("alpha", "vm2"), 0);
    expect(fleet.table("instance").size).toBe(2);
    fleet.apply(snapshotEnd, 0);
    expect([...fleet.table("instance").rows()].map((row) => row.id)).toEqual(["vm2"]);
  });

  it("does not count as events", () => {
    const fleet = new Fleet(kinds, 0);
    fleet.apply(reset, 1000);
    for (let index = 0; index < 50; index += 1) fleet.apply(upsertInstance("alpha", `vm${index}`), 1000);
    fleet.apply(snapshotEnd, 1000);
    expect(fleet.eventsPerSecond(1000)).toBe(0);
    for (let index = 0; index < 20; index += 1) fleet.apply(upsertInstance("alpha", `vm${index}`), 2000);
    expect(fleet.eventsPerSecond(2000)).toBe(2);
    expect(fleet.eventsPerSecond(60_000)).toBe(0);
  });
});

describe("a host that does not answer", () => {
  it("turns what is on it unreachable in counts and views, and back", () => {
    const fleet = new Fleet(kinds, 0);
    const summary = createSummary(fleet);
    fleet.apply(upsertHost("alpha"), 0);
    fleet.apply(upsertInstance("alpha", "vm1"), 0);
    const words = () =>
      (summary().find((count) => count.kind.kind === "instance")?.states ?? []).map(
        ({ style, count }) => `${count} ${style.word}`,
      );
    expect(words()).toEqual(["1 running"]);
    const { version } = fleet.table("instance");
    fleet.apply(upsertHost("alpha", HostState.HOST_STATE_UNREACHABLE), 0);
    expect(words()).toEqual(["1 unreachable"]);
    const slots = [fleet.table("instance").slotOf(vm)];
    expect(fleet.table("instance").changesSince(version)).toMatchObject({ slots, hosts: new Set(["alpha"]) });
    fleet.apply(upsertHost("alpha"), 0);
    expect(words()).toEqual(["1 running"]);
  });
});

describe("something asked for", () => {
  it.each<readonly [string, InstanceState, InstanceState, boolean]>([
    ["start", stopped, running, true],
    ["start", stopped, starting, false],
    ["start", stopped, failed, true],
    ["stop", running, stopped, true],
    ["stop", running, running, false],
    ["pause", running, paused, true],
    ["resume", paused, running, true],
    ["reset", running, running, false],
    ["delete", running, stopped, false],
  ])("%s from %d: state %d settles it: %s", (verb, from, to, settles) => {
    const fleet = waitingFor(verb, from);
    fleet.apply(upsertInstance("alpha", "vm1", to), 10);
    expect(fleet.pending.has(vm)).toBe(!settles);
  });

  it("is not settled by the failure it started from", () => {
    const fleet = waitingFor("start", failed);
    fleet.apply(upsertInstance("alpha", "vm1", failed), 10);
    expect(fleet.pending.has(vm)).toBe(true);
  });

  it("reset is settled by a new start time or its event", () => {
    const restarted = waitingFor("reset", running);
    restarted.apply(upsertInstance("alpha", "vm1", running, new Date(5)), 10);
    expect(restarted.pending.size).toBe(0);
    const told = waitingFor("reset", running);
    told.apply(event("instance.reset", EventSeverity.EVENT_SEVERITY_INFO), 10);
    expect(told.pending.size).toBe(0);
  });

  it("delete is settled when the resource is gone", () => {
    const fleet = waitingFor("delete", running);
    fleet.apply(removed(vm), 10);
    expect(fleet.pending.size).toBe(0);
  });

  it("is settled by an error event about it", () => {
    const fleet = waitingFor("start", stopped);
    fleet.apply(event("instance.start_failed", EventSeverity.EVENT_SEVERITY_ERROR), 10);
    expect(fleet.pending.size).toBe(0);
  });

  it("is given up, and told, when no event comes", () => {
    const fleet = waitingFor("start", stopped);
    fleet.setConnection({ phase: "live", sinceMs: 0, reason: "", retryAtMs: undefined }, 0);
    fleet.apply(bookmark, pendingTimeoutMs - 1);
    expect(fleet.expirePending(pendingTimeoutMs - 1)).toEqual([]);
    expect(fleet.expirePending(pendingTimeoutMs)).toMatchObject([{ name: vm, pending: { verb: "start" } }]);
    expect(fleet.pending.size).toBe(0);
  });
});

describe("something asked for when the hub falls silent or is lost", () => {
  it.each(["live", "lost"] as const)("is waited for until the hub is heard again (%s)", (phase) => {
    const fleet = waitingFor("start", stopped);
    fleet.setConnection({ phase, sinceMs: 0, reason: "", retryAtMs: undefined }, 0);
    expect(fleet.expirePending(pendingTimeoutMs * 2)).toEqual([]);
    fleet.setConnection({ phase: "live", sinceMs: 0, reason: "", retryAtMs: undefined }, pendingTimeoutMs * 2);
    fleet.apply(bookmark, pendingTimeoutMs * 2);
    expect(fleet.expirePending(pendingTimeoutMs * 2)).toHaveLength(1);
  });
});

describe("time", () => {
  it("is the hub's, as its bookmarks tell it", () => {
    const fleet = new Fleet(kinds, 0);
    fleet.apply({ $case: "bookmark", value: { time: new Date(100_000) } }, 40_000);
    expect(fleet.hubTimeMs(41_000)).toBe(101_000);
    expect(fleet.lastHeardMs).toBe(40_000);
  });
});

describe("events", () => {
  it("are kept up to a bound, the newest ones", () => {
    const fleet = new Fleet(kinds, 0);
    for (let index = 0; index < 6000; index += 1) {
      fleet.complain({ type: "t", about: "", message: `${index}`, failed: false }, 0);
    }
    expect(fleet.table("event").size).toBe(5000);
    const [first] = fleet.table("event").rows();
    expect(first?.resource).toMatchObject({ message: "1000" });
  });
});

function event(type: string, severity: EventSeverity) {
  const value = { name: "events/e1", time: new Date(0), severity, type, resource: vm, message: "", caller: "" };
  return upsert({ kind: "event", value });
}
