import stringWidth from "string-width";
import { expect, it } from "vitest";
import { characterWidth, graphemesOf, standAlone } from "../../../../tui/kit/text/text-width.js";

const plane = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code));

it("knows the cells of every character that stands alone without asking who knows all scripts", () => {
  const known = plane.filter(standAlone);
  expect(known.length).toBeGreaterThan(1500);
  expect(known.filter((character) => characterWidth(character) !== stringWidth(character))).toEqual([]);
});

it("takes each of them for a character of its own", () => {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  const text = plane.filter(standAlone).join("");
  expect(graphemesOf(text).map((each) => each.text)).toEqual(
    Array.from(segmenter.segment(text), (each) => each.segment),
  );
});
