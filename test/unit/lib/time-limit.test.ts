import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { timeLimit } from "../../../lib/time-limit.js";

describe("time limits", () => {
  it.each([0.4, 1, 1.5, 0, -3, Number.NEGATIVE_INFINITY, Number.NaN])("ends after %d ms", async (milliseconds) => {
    const signal = timeLimit(milliseconds);
    if (!signal.aborted) await once(signal, "abort");
    expect(signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  it.each([30 * 24 * 3_600_000, 2 ** 40, Number.POSITIVE_INFINITY])(
    "does not end at once after %d ms",
    async (long) => {
      const signal = timeLimit(long);
      await once(timeLimit(5), "abort");
      await turn();
      expect(signal.aborted).toBe(false);
    },
  );
});
