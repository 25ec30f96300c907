import { expect, test } from "vitest";
import { restartWait } from "../../../deploy/demo/restart-wait.js";

/** The waits when a program is ended again and again after so long. */
function waits(ranMs: number): number[] {
  let waitMs = 0;
  return Array.from({ length: 8 }, () => {
    waitMs = restartWait(waitMs, ranMs);
    return waitMs;
  });
}

test("a program that keeps ending soon is started ever more slowly, one that had served never waits more than 2 s", () => {
  expect(waits(100)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  expect(waits(6000)).toEqual([200, 400, 800, 1600, 2000, 2000, 2000, 2000]);
  expect(waits(60_000)).toEqual(Array.from({ length: 8 }, () => 200));
  expect(restartWait(5000, 6000)).toBe(2000);
});
