import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainText } from "../../../../tui/kit/text/plain-text.js";
import { cutMiddle, cutText, distinctWidth, fitText, textWidth } from "../../../../tui/kit/text/text-width.js";
import { wrapText } from "../../../../tui/kit/text/wrap-text.js";
import { hostileTexts } from "../../../fakes/fleet-data.js";

const actsOnTerminals = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

describe("plain text", () => {
  it.each([
    ["plain ascii", "plain ascii"],
    ["\x1b[31mred", "\\x1b[31mred"],
    ["a\nb\tc\rd", "a\\nb\\tc\\rd"],
    ["\u009b31m", "\\x9b31m"],
    ["abc\u202egnp.exe", "abc\\u202egnp.exe"],
    ["\u{e0041}", "\\u{e0041}"],
    ["lone \ud800 surrogate", "lone \\ud800 surrogate"],
    ["漢字", "漢字"],
    ["e\u0301", "e\u0301"],
    ["\u0301leading", "\u25cc\u0301leading"],
    [`a${"\u0300".repeat(9)}`, `a${"\u0300".repeat(3)}`],
  ])("shows %j as %j", (text, shown) => {
    expect(plainText(text)).toBe(shown);
  });

  it("lets nothing through that acts on a terminal, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(plainText(text)).not.toMatch(actsOnTerminals);
      }),
    );
    for (const text of hostileTexts) expect(plainText(text)).not.toMatch(actsOnTerminals);
  });

  it("cuts texts that are too long to look at", () => {
    expect(plainText("x".repeat(100_000)).length).toBeLessThan(3000);
  });
});

describe("wrapping", () => {
  it.each<readonly [string, number, readonly string[]]>([
    ["one two three", 8, ["one two", "three"]],
    ["", 8, [""]],
    ["abcdefghij k", 4, ["abcd", "efgh", "ij k"]],
    ["漢字漢字", 5, ["漢字", "漢字"]],
    ["漢", 1, ["漢"]],
    ["  one two three", 8, ["  one", "two", "three"]],
    ["    abcdefghij", 8, ["    abcd", "efghij"]],
    ["a  b", 8, ["a  b"]],
  ])("breaks %j at %d into %j", (text, width, lines) => {
    expect(wrapText(text, width)).toEqual(lines);
  });
});

describe("widths", () => {
  it("cuts and pads to exactly the width, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 60 }), (text, width) => {
        expect(textWidth(fitText(plainText(text), width))).toBe(width);
        expect(textWidth(fitText(plainText(text), width, "left", "middle"))).toBe(width);
      }),
    );
  });

  it("knows how far names can be cut and still differ", () => {
    const names = ["lab-with-a-long-name-1-a", "lab-with-a-long-name-2-a", "x"];
    const width = distinctWidth(names, 5);
    expect(new Set(names.map((name) => cutMiddle(name, width))).size).toBe(3);
    expect(new Set(names.map((name) => cutMiddle(name, width - 1))).size).toBe(2);
    expect(distinctWidth(["abc", "abc"], 2)).toBe(2);
    expect(distinctWidth(["漢字a漢字", "漢字b漢字"], 3)).toBe(8);
  });

  it("never halves a wide character", () => {
    expect(cutText("漢字漢字", 6)).toBe("漢字…");
    expect(["漢字漢字", "漢a字漢b字"].map((text) => cutMiddle(text, 6))).toEqual(["漢…字", "漢a…字"]);
    expect(cutMiddle("a-long-name-1", 8)).toBe("a-lo…e-1");
    expect([0, 1, 2, 3].map((width) => cutMiddle("abcdef", width))).toEqual(["", "…", "a…", "a…f"]);
    expect(fitText("漢字漢字", 6)).toBe("漢字… ");
    expect(fitText("7", 3, "right")).toBe("  7");
  });
});
