import { describe, expect, it } from "vitest";
import { viewTexts } from "../../../tui/cli/output/view-value.js";

const number = (value: number) => ({ value: { $case: "number" as const, value } });

describe("the values of a view, as people read them", () => {
  it.each([
    ["instance", "mem", 128 * 1024 ** 2, "128M"],
    ["instance", "spec.memory_mib", 1.5 * 1024 ** 3, "1.5G"],
    ["instance", "cpu", 12.5, "12.5%"],
    ["instance", "cpu", 100 / 3, "33.3%"],
    ["instance", "cores", 0.12345, "0.123"],
    ["instance", "mem.used", 4096, "4K"],
    ["instance", "link.rtt", 0.394, "0.39ms"],
    ["instance", "link.rtt", 0.05, "50us"],
    ["instance", "link.loss", 0.5, "0.5%"],
    ["instance", "age", 200_000, "3m20s"],
    ["instance", "create_time", 0, "1970-01-01T00:00:00.000Z"],
    ["host", "rtt", 1500, "1.50s"],
    ["host", "cpus", 64, "64"],
    ["link", "rtt", 61_000, "1m01s"],
    ["no-such-kind", "rtt", 0.25, "0.25"],
  ])("%s %s %d is %s", (kind, column, amount, text) => {
    expect(viewTexts(["name", column])(kind, number(amount), 1)).toBe(text);
  });

  it("tells texts as they are, what a kind has no field for as a number, and what there is none of with a sign", () => {
    const texts = viewTexts(["state", "rtt"]);
    expect(texts("link", { value: { $case: "text", value: "ACTIVE" } }, 0)).toBe("ACTIVE");
    expect(texts("image", number(3), 1)).toBe("3");
    expect(texts("link", { value: undefined }, 1)).toBe("-");
    expect(texts("link", undefined, 1)).toBe("-");
  });

  it("has for one column each kind's own unit", () => {
    const texts = viewTexts(["mem"]);
    expect([texts("instance", number(1024 ** 3), 0), texts("host", number(1024 ** 4), 0)]).toEqual(["1G", "1T"]);
  });
});
