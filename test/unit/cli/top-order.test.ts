import { expect, it } from "vitest";
import { orderText } from "../../../tui/kit/top/views.js";
import { readTopOrder } from "../../../tui/cli/input/top-order.js";

const filter = "";

it.each([
  [undefined, "CORES"],
  ["MEM", "MEM"],
  ["cpu,mem", "CPU%, then MEM"],
  ["LIMIT%, name", "CPU%, then NAME"],
  ["-MEM,-NAME", "MEM, then NAME, the last first"],
  ["mem desc, in asc", "MEM, then IN/s, the least first"],
])("zor top sorts by %s", (sortBy, told) => {
  const { order } = readTopOrder("instances", { filter, ...(sortBy === undefined ? {} : { sortBy }) });
  expect(orderText(order)).toBe(told);
});

it("turns round all that is sorted by", () => {
  const { order } = readTopOrder("instances", { filter, sortBy: "CPU,NAME desc", reverse: true });
  expect(orderText(order)).toBe("CPU%, the least first, then NAME");
});

it("names the columns for one that there is not", () => {
  const wrong = (): unknown => readTopOrder("instances", { filter, sortBy: "CPU,MEN" });
  expect(wrong).toThrow(
    /"MEN" is no column of instances; did you mean MEM\? There are NAME, CORES, CPU%, .* and W-OPS\/s/,
  );
});
