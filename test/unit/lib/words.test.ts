import { describe, expect, it } from "vitest";
import { agreeing, counted, listed } from "../../../lib/words.js";

describe("words", () => {
  it.each([
    [[], ""],
    [["a"], "a"],
    [["a", "b"], "a and b"],
    [["a", "b", "c"], "a, b and c"],
  ])("list %j as %j", (names, text) => {
    expect(listed(names)).toBe(text);
  });

  it("list no more than is asked for, and say how many there are", () => {
    expect(listed(["a", "b", "c"], 2)).toBe("a, b and c");
    expect(listed(["a", "b", "c", "d"], 2)).toBe("a, b and 2 more");
  });

  it("offer a choice", () => {
    expect(listed(["a", "b", "c"], 8, "or")).toBe("a, b or c");
  });

  it("agree with numbers", () => {
    expect([0, 1, 2].map((count) => counted(count, "host"))).toEqual(["0 hosts", "1 host", "2 hosts"]);
    expect([1, 2].map((count) => counted(count, "box", "boxes"))).toEqual(["1 box", "2 boxes"]);
    expect([1, 2].map((count) => agreeing(count, "does", "do"))).toEqual(["does", "do"]);
  });
});
