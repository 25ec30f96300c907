import { describe, expect, it } from "vitest";
import { toDuration } from "../../../../lib/duration.js";
import { Link, LinkState, type LinkStatus } from "../../../../proto/gen/zor/v1/link.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { KindTable } from "../../../../tui/kit/kind-table.js";
import { Fleet } from "../../../../tui/kit/fleet/fleet.js";
import { historyOf, LinkHistory } from "../../../../tui/kinds/link/history.js";
import { highest, sparkline } from "../../../../tui/kit/describe/sparkline.js";
import { upsert } from "../steps.js";

function carrying(rttMs: number, change: Partial<LinkStatus> = {}): LinkStatus {
  const state = LinkState.LINK_STATE_ACTIVE;
  const link = Link.fromPartial({ status: { state, rtt: toDuration(rttMs), aToBBps: 1000n, ...change } });
  if (link.status === undefined) throw new Error("the status was just given");
  return link.status;
}

/** A row of a link with that status. */
function link(status: LinkStatus) {
  return { name: "links/l", resource: Link.fromPartial({ status }) };
}

const down = carrying(0, { state: LinkState.LINK_STATE_DOWN });

/** The newest samples, "?" where nothing is known. */
function rtts(history: LinkHistory | undefined, nowMs: number, count: number): readonly (number | string)[] {
  const values = history?.read("links/l", "rttMs", nowMs) ?? [];
  return values.slice(-count).map((value) => (Number.isNaN(value) ? "?" : value));
}

describe("the history of a link", () => {
  it("holds what was told last until something else is told", () => {
    const history = new LinkHistory();
    history.note(link(carrying(2)), 10_000);
    history.note(link(carrying(8)), 12_500);
    expect(rtts(history, 14_000, 6)).toEqual(["?", 2, 2, 8, 8, 8]);
  });

  it("knows nothing of the time in which the link carried nothing", () => {
    const history = new LinkHistory();
    history.note(link(carrying(2)), 10_000);
    history.note(link(down), 11_000);
    history.note(link(carrying(4)), 13_000);
    expect(rtts(history, 13_000, 4)).toEqual([2, "?", "?", 4]);
  });

  it("knows nothing of the time in which the hub was away, and what was told before holds again after it", () => {
    const history = new LinkHistory();
    history.note(link(carrying(2)), 10_000);
    history.hold(false, 11_000);
    history.hold(true, 13_000);
    expect(rtts(history, 15_000, 6)).toEqual([2, 2, "?", "?", 2, 2]);
  });

  it("goes back two minutes and no further, however long nothing was read", () => {
    const history = new LinkHistory();
    history.note(link(carrying(2)), 0);
    history.note(link(carrying(4)), 86_400_000);
    const values = history.read("links/l", "rttMs", 86_400_000);
    expect(values).toHaveLength(120);
    expect(new Set(values)).toEqual(new Set([2, 4]));
    expect(values.at(-2)).toBe(2);
  });

  it("goes with its link", () => {
    const fleet = new Fleet(new KindTable(tuiKinds), 0);
    const value = Link.fromPartial({ name: "links/l", status: carrying(2) });
    fleet.apply(upsert({ kind: "link", value }), 1000);
    expect(historyOf(fleet)?.read("links/l", "aToBBps", 1000).at(-1)).toBe(1000);
    fleet.apply({ $case: "removed", value: { kind: "link", name: "links/l" } }, 2000);
    expect(historyOf(fleet)?.read("links/l", "aToBBps", 2000)).toEqual([]);
  });

  it("is not held while the connection is lost", () => {
    const fleet = new Fleet(new KindTable(tuiKinds), 0);
    fleet.setConnection({ phase: "live", sinceMs: 0, reason: "", retryAtMs: undefined }, 0);
    fleet.apply(upsert({ kind: "link", value: Link.fromPartial({ name: "links/l", status: carrying(2) }) }), 1000);
    fleet.setConnection({ phase: "lost", sinceMs: 2000, reason: "gone", retryAtMs: undefined }, 2000);
    expect(rtts(historyOf(fleet), 4000, 4)).toEqual([2, 2, "?", "?"]);
  });
});

describe("a sparkline", () => {
  const { NaN: unknown } = Number;
  it.each<readonly [readonly number[], number, number, string]>([
    [[0, 1, 4, 8], 10, 8, "▁▂▅█"],
    [[0.001, 0], 10, 8, "▂▁"],
    [[unknown, 8, unknown], 10, 8, " █ "],
    [[100], 10, 8, "█"],
    [[0, 8, 0, 0], 2, 8, "█▁"],
    [[unknown, 0, unknown, unknown], 2, 8, "▁ "],
    [[1, 2, 3], 0, 3, ""],
    [[], 5, 1, ""],
  ])("of %j in %d cells with %d as the most is %j", (values, width, full, bars) => {
    expect(sparkline(values, width, full)).toBe(bars);
  });

  it("knows the highest value it has", () => {
    expect(highest([unknown, 3, 1])).toBe(3);
    expect(highest([unknown])).toBeNaN();
  });
});
