import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DialGate } from "../../../../hub/fleet/dial-gate.js";

const places = 24;

/** Lets so many turns of the loop pass. */
function turns(count: number): void {
  for (let turn = 0; turn < count; turn += 1) vi.runOnlyPendingTimers();
}

describe("the gate of connections that are made", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["setImmediate", "clearImmediate"] }));
  afterEach(() => vi.useRealTimers());

  function crowd(gate: DialGate, count: number, signal = new AbortController().signal) {
    const inside: (() => void)[] = [];
    for (let each = 0; each < count; each += 1) void gate.enter(signal).then((leave) => inside.push(leave));
    return inside;
  }

  it("lets one begin in each turn, and only so many at a time", async () => {
    const gate = new DialGate();
    const inside = crowd(gate, 100);
    turns(3);
    await Promise.resolve();
    expect(inside).toHaveLength(3);
    turns(200);
    await Promise.resolve();
    expect(inside).toHaveLength(places);
    inside[0]?.();
    inside[0]?.();
    turns(10);
    await Promise.resolve();
    expect(inside).toHaveLength(places + 1);
  });

  it("takes the place of one that is slow", async () => {
    vi.useFakeTimers();
    const gate = new DialGate();
    const inside = crowd(gate, 2 * places);
    await vi.advanceTimersByTimeAsync(100);
    expect(inside).toHaveLength(places);
    await vi.advanceTimersByTimeAsync(600);
    expect(inside).toHaveLength(2 * places);
  });

  it("lets go at once of those that give up", async () => {
    const gate = new DialGate();
    const stop = new AbortController();
    crowd(gate, places);
    const given = crowd(gate, 5, stop.signal);
    turns(200);
    stop.abort();
    await Promise.resolve();
    expect(given).toHaveLength(5);
    const later = crowd(gate, 1);
    turns(200);
    await Promise.resolve();
    expect(later).toHaveLength(0);
  });
});
