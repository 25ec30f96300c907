import { describe, expect, test } from "vitest";
import { freeVxlanId } from "../../../../hub/kinds/link/vxlan-ids.js";
import { findLoop, type Joint, lansWithoutRstp, loopText } from "../../../../hub/kit/loops.js";
import { Lan } from "../../../../proto/gen/zor/v1/lan.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";

/** "a-b c-d": joints named j0, j1, ... */
const joints = (text: string): Joint[] =>
  text.split(" ").map((pair, index) => {
    const [a = "", b = ""] = pair.split("-");
    return { name: `j${index}`, a, b };
  });

describe("the loop that a new joint would close", () => {
  test.each<[string, string, string, string | undefined]>([
    ["x-y", "a", "b", undefined],
    ["a-b", "a", "b", "a - j0 - b"],
    ["b-a", "a", "b", "a - j0 - b"],
    ["a-c c-b", "a", "b", "a - j0 - c - j1 - b"],
    ["a-c c-d d-b a-b", "a", "b", "a - j3 - b"],
    ["a-c c-d d-e a-e", "b", "e", undefined],
    ["a-c c-a c-d d-b", "a", "b", "a - j0 - c - j2 - d - j3 - b"],
    ["a-a", "a", "b", undefined],
  ])("in %s between %s and %s is %s", (text, a, b, loop) => {
    const found = findLoop(a, b, joints(text));
    expect(found === undefined ? undefined : loopText(found)).toBe(loop);
  });

  test("is broken by RSTP only if every lan of it runs that", () => {
    const loop = findLoop("a", "b", joints("a-c c-b"));
    const lans = new Map([
      ["a", Lan.fromPartial({ spec: { rstp: true } })],
      ["c", Lan.fromPartial({ spec: { rstp: false } })],
    ]);
    expect(loop === undefined ? [] : lansWithoutRstp(loop, (lan) => lans.get(lan))).toEqual(["c", "b"]);
  });
});

test("vxlan identifiers are different, and those of deleted links are used again", () => {
  const record = (vxlanId: number) => ({ link: Link.fromPartial({}), deleting: false, vxlanId });
  const first = freeVxlanId([]);
  const second = freeVxlanId([record(first), record(0)]);
  expect(second).not.toBe(first);
  expect(freeVxlanId([record(second)])).toBe(first);
  expect(second).toBeLessThanOrEqual(16_777_215);
});
