import { describe, expect, it } from "vitest";
import { lookOfTerminal, styleOf } from "../../../../tui/app/theme.js";
import type { Tone } from "../../../../tui/kit/states.js";
import { toAscii } from "../../../../tui/kit/text/ascii.js";
import { textWidth } from "../../../../tui/kit/text/text-width.js";

describe("the look", () => {
  it.each([
    [{ LANG: "en_US.UTF-8" }, { unicode: true, colors: true }],
    [
      { LANG: "C.utf8", LC_ALL: "" },
      { unicode: true, colors: true },
    ],
    [
      { LANG: "en_US.UTF-8", LC_ALL: "C" },
      { unicode: false, colors: true },
    ],
    [{}, { unicode: false, colors: true }],
    [
      { LANG: "C.UTF-8", ZOR_ASCII: "1" },
      { unicode: false, colors: true },
    ],
    [
      { LANG: "C.UTF-8", NO_COLOR: "1" },
      { unicode: true, colors: false },
    ],
    [
      { LANG: "C.UTF-8", NO_COLOR: "" },
      { unicode: true, colors: true },
    ],
  ])("of a terminal with %j is %j", (env, look) => {
    expect(lookOfTerminal(env)).toEqual(look);
  });

  it("has no colour anywhere without colours", () => {
    const tones: readonly Tone[] = ["plain", "strong", "dim", "good", "busy", "warn", "bad", "accent"];
    for (const tone of tones) expect(styleOf(tone, { unicode: true, colors: false })).not.toHaveProperty("color");
    expect(styleOf("good", { unicode: true, colors: true })).toEqual({ color: "green" });
  });

  it("keeps widths when it turns to ASCII", () => {
    for (const text of ["❯ ● running → stop", "日本語 é ✗", "plain"]) {
      expect(toAscii(text)).toMatch(/^[\x20-\x7e]*$/);
      expect(textWidth(toAscii(text))).toBe(textWidth(text));
    }
  });
});
