import { describe, expect, it } from "vitest";
import { toStrokes } from "../../../../../agent/drivers/qemu/keyboard.js";

describe("what is typed on a machine's keyboard", () => {
  it.each<[readonly string[], string, readonly (readonly string[])[]]>([
    [["ctrl-alt-delete"], "", [["ctrl", "alt", "delete"]]],
    [["CTRL-ALT-Del", "enter"], "", [["ctrl", "alt", "delete"], ["ret"]]],
    [["ctrl-minus", "f12"], "", [["ctrl", "minus"], ["f12"]]],
    [[], "aB1!\n", [["a"], ["shift", "b"], ["1"], ["shift", "1"], ["ret"]]],
    [
      [],
      "-_|'\"~ )",
      [
        ["minus"],
        ["shift", "minus"],
        ["shift", "backslash"],
        ["apostrophe"],
        ["shift", "apostrophe"],
        ["shift", "grave_accent"],
        ["spc"],
        ["shift", "0"],
      ],
    ],
  ])("is, for %j and %j, keys of QEMU", (keys, text, strokes) => {
    expect(toStrokes({ keys, text })).toEqual(strokes);
  });

  it("has a place for every character of a US keyboard", () => {
    const all = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
    expect(new Set(toStrokes({ keys: [], text: all }).map((stroke) => stroke.join("-"))).size).toBe(95);
  });

  it.each<[readonly string[], string, RegExp]>([
    [[], "", /either keys or text/],
    [["a"], "a", /either keys or text/],
    [["hyper-x"], "", /keys\[0\].*"hyper" is no key/],
    [["ctrl-"], "", /"" is no key/],
    [["constructor"], "", /is no key/],
    [["a-b-c-d-e-f-g-h-i"], "", /more than 8/],
    [Array.from({ length: 257 }, () => "a"), "", /more than 256/],
    [[], "\u001b[31m", /US keyboard/],
    [[], "\u{1f600}", /US keyboard/],
  ])("is refused for %j and %j", (keys, text, message) => {
    expect(() => toStrokes({ keys, text })).toThrow(message);
  });
});
