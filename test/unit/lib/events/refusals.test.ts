import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { notFound, permissionDenied } from "../../../../lib/errors.js";
import { type RefusalNews, Refusals } from "../../../../lib/events/refusals.js";

function setUp(maxCallers = 2) {
  const told: RefusalNews[] = [];
  return { told, refusals: new Refusals({ tell: (news) => told.push(news), maxCallers }) };
}

const refuse = (refusals: Refusals, caller: string, text = "only look"): void =>
  refusals.note({ caller, error: permissionDenied(text) });

describe("refused calls", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("are told at once, and those that follow by their number", () => {
    const { told, refusals } = setUp();
    for (let index = 0; index < 1000; index += 1) refuse(refusals, "zor://user/eve", `no ${index}`);
    expect(told).toEqual([{ caller: "zor://user/eve", message: "a call was refused: no 0" }]);
    vi.advanceTimersByTime(60_000);
    expect(told.at(-1)).toEqual({
      caller: "zor://user/eve",
      message: "999 more calls were refused within 60 s; the last: no 999",
    });
    refuse(refusals, "zor://user/eve");
    vi.advanceTimersByTime(60_000);
    expect(told).toHaveLength(3);
  });

  it("of more callers than are told apart are counted together", () => {
    const { told, refusals } = setUp();
    for (let index = 0; index < 50; index += 1) refuse(refusals, `zor://user/u${index}`);
    expect(told.map(({ caller }) => caller)).toEqual(["zor://user/u0", "zor://user/u1", "zor://user/u2"]);
    refusals.close();
    expect(told.at(-1)).toMatchObject({ caller: "", message: expect.stringContaining("47 more calls of several") });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("are those alone that lack rights, and what is said of them is short", () => {
    const { told, refusals } = setUp();
    refusals.note({ caller: "zor://user/eve", error: notFound("hosts/none", "look") });
    refusals.note({ caller: "zor://user/eve", error: new Error("broken") });
    expect(told).toEqual([]);
    refuse(refusals, "zor://user/eve", "x".repeat(10_000));
    expect(told[0]?.message.length).toBeLessThan(600);
  });
});
