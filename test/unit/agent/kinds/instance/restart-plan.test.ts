import { describe, expect, it } from "vitest";
import { type Life, newLife, planRestart } from "../../../../../agent/kinds/instance/restart-plan.js";
import { RestartMode, RestartPolicy } from "../../../../../proto/gen/zor/v1/instance.js";

const now = new Date("2026-11-27T00:00:00Z");
const failure = { failed: true, ranMs: 100, now };
const always = RestartPolicy.fromPartial({ mode: RestartMode.RESTART_MODE_ALWAYS });
const onFailure = RestartPolicy.fromPartial({ mode: RestartMode.RESTART_MODE_ON_FAILURE });

/** Seconds of the waits of an instance that ends at once each time; "given up" ends them. */
function waits(policy: RestartPolicy, count: number): (number | string)[] {
  const seen: (number | string)[] = [];
  let life: Life = newLife;
  while (seen.length < count) {
    life = planRestart(policy, life, failure);
    seen.push(life.nextTime === undefined ? "given up" : (life.nextTime.getTime() - now.getTime()) / 1000);
    if (life.givenUp) break;
    life = { ...life, restarts: life.restarts + 1 };
  }
  return seen;
}

describe("an instance that has ended", () => {
  it.each([
    ["without a policy", undefined],
    ["that shall not", RestartPolicy.fromPartial({ mode: RestartMode.RESTART_MODE_NEVER })],
  ])("stays so %s", (_what, policy) => {
    expect(planRestart(policy, newLife, failure)).toEqual(newLife);
  });

  it("stays so on success when only failures count, and waits when all ends do", () => {
    const success = { ...failure, failed: false };
    expect(planRestart(onFailure, newLife, success).nextTime).toBeUndefined();
    expect(planRestart(onFailure, newLife, failure).nextTime).toEqual(new Date(now.getTime() + 1000));
    expect(planRestart(always, newLife, success).nextTime).toEqual(new Date(now.getTime() + 1000));
  });

  it("stays so when somebody asked for it, and it is still known who", () => {
    const life = { ...newLife, restarts: 3, askedBy: "zor://user/ana" };
    expect(planRestart(always, life, failure)).toEqual({ ...newLife, askedBy: "zor://user/ana" });
  });

  it("waits twice as long each time, up to the longest wait", () => {
    expect(waits(always, 9)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(waits({ ...always, minDelaySeconds: 3, maxDelaySeconds: 10 }, 4)).toEqual([3, 6, 10, 10]);
    expect(waits({ ...always, minDelaySeconds: 100 }, 3)).toEqual([100, 100, 100]);
  });

  it("is given up after as many restarts as it may have", () => {
    expect(waits({ ...always, maxRestarts: 2 }, 9)).toEqual([1, 2, "given up"]);
  });

  it("begins anew when it has run well", () => {
    const life = { ...newLife, restarts: 5 };
    const policy = { ...always, maxRestarts: 5, resetAfterSeconds: 10 };
    expect(planRestart(policy, life, { ...failure, ranMs: 9999 })).toMatchObject({ givenUp: true, restarts: 5 });
    expect(planRestart(policy, life, { ...failure, ranMs: 10_000 })).toMatchObject({ givenUp: false, restarts: 0 });
    expect(planRestart(policy, life, { ...failure, ranMs: undefined })).toMatchObject({ givenUp: true });
  });
});
