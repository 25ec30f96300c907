import { expect, test } from "vitest";
import { bringTogether, readHistory } from "../../../../../agent/kinds/figures/read-history.js";
import { ReadHistoryRequest } from "../../../../../proto/gen/zor/v1/figures_service.js";

const range = { startMs: 0, endMs: 1000, maxPoints: 4 };
const points = (...values: readonly number[]) => values.map((value, index) => ({ timeMs: index * 100, value }));

test("points that are few stay as they are; of many there are average, least and most", () => {
  expect(bringTogether(points(1, 2), range).map(({ average }) => average)).toEqual([1n, 2n]);
  expect(bringTogether([], range)).toEqual([]);
  const together = bringTogether(points(1, 2, 3, 40, 5, 6, 7, 8, 9, 10), range);
  expect(together).toHaveLength(4);
  expect(together[0]).toEqual({ time: new Date(0), average: 2n, least: 1n, most: 3n });
  expect(together.map(({ most }) => most)).toEqual([3n, 40n, 8n, 10n]);
});

test.each([
  [{ name: "hosts/a/images/i" }, "not the name of something that is measured"],
  [{ name: "hosts/a", maxPoints: 2001 }, "2000"],
  [{ name: "hosts/a", figures: [9999] }, "9999"],
  [{ name: "hosts/a", part: "a b" }, "is no part"],
  [{ name: "hosts/a", startTime: new Date(2), endTime: new Date(1) }, "after end_time"],
])("%j is refused", async (request, expected) => {
  const asked = readHistory(undefined, ReadHistoryRequest.fromPartial(request), { host: "a", nowMs: 0 });
  await expect(asked).rejects.toThrow(expected);
});
