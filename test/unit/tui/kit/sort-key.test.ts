import { describe, expect, it } from "vitest";
import { amountOf, compareKeys, naturalKey } from "../../../../tui/kit/table/sort-key.js";

describe("amounts", () => {
  it.each<readonly [string, number | undefined]>([
    ["12", 12],
    ["-1.5", -1.5],
    ["85%", 85],
    ["1.5 GiB", 1.5 * 2 ** 30],
    ["512M", 512e6],
    ["1.2k", 1200],
    ["20 Mbit/s", 20e6],
    ["300 ms", 0.3],
    ["2m", 120],
    ["3d4h", 3 * 86_400 + 4 * 3600],
    ["3d 4h", 3 * 86_400 + 4 * 3600],
    ["10 20", undefined],
    ["10.0.0.1", undefined],
    ["vm1", undefined],
    ["5 apples", undefined],
    ["-", undefined],
    ["", undefined],
  ])("%j is %s", (text, amount) => {
    if (amount === undefined) expect(amountOf(text)).toBeUndefined();
    else expect(amountOf(text)).toBeCloseTo(amount, 6);
  });

  it("come before texts, and those in their natural order", () => {
    const texts = ["vm10", "-", "2 GiB", "vm2", "300 MiB"];
    const keys = texts.map((text) => ({ text, key: amountOf(text) ?? naturalKey(text) }));
    const sorted = keys.sort((left, right) => compareKeys(left.key, right.key)).map(({ text }) => text);
    expect(sorted).toEqual(["300 MiB", "2 GiB", "-", "vm2", "vm10"]);
  });
});
