import { expect, test, vi } from "vitest";
import { StallWatch } from "../../../lib/stall-watch.js";

test.each([
  ["its own work", 9000, "busy with work of its own (9000 ms"],
  ["the system", 100, "waited for the system, or for a processor"],
])("a program that was held up says so, and tells %s apart", (_, busyMs, words) => {
  const at = { ms: 0, cpuUs: 0 };
  const tell = vi.fn();
  using watch = new StallWatch(tell, { now: () => at.ms, cpuUs: () => at.cpuUs });
  at.ms = 600;
  watch.look();
  expect(tell).not.toHaveBeenCalled();
  at.ms = 10_600;
  at.cpuUs = busyMs * 1000;
  watch.look();
  expect(tell).toHaveBeenCalledWith({ ms: 9500, cause: expect.stringContaining(words) });
  at.ms += 500;
  watch.look();
  expect(tell).toHaveBeenCalledTimes(1);
});
