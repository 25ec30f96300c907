import { describe, expect, it } from "vitest";
import { Pattern } from "../../../../tui/kit/pattern/pattern.js";

const texts = [
  "",
  "a",
  "ab",
  "aab",
  "abc abc",
  "ERROR 404: not found",
  "10.0.0.1 - 200",
  "foo_bar-baz",
  "  indented",
  "tab\there",
  "x{2}",
  "日本 été",
  "aaaa",
  "[info] a|b",
];
const sources = [
  ..."a ^a a$ ^$ ab a*b a+b$ ^a?b (ab)+c (?:a|b)c [ab]c [^ab] [a-c]{2} ^.{2}$".split(" "),
  "a|b",
  "error \\d+",
  "\\d{1,3}(\\.\\d{1,3}){3}",
  "\\bbar",
  "\\bbaz\\b",
  "o\\B",
  "^\\s+\\S",
  "x\\{2\\}",
  "x{2}",
  "[\\w-]+baz",
  "[]a]",
  "[a-]",
  "é.é",
  "(a|ab)(c|bcd)*$",
  "(|a)b",
  "a{2,}",
  "a{0}b",
  "a{2,3}?$",
  "\\t",
  ".本",
  "^(a*)*$",
];

describe("a pattern", () => {
  it.each(sources)("%j finds what a regular expression finds", (source) => {
    const pattern = new Pattern(source);
    const expected = new RegExp(source, "iu".replace("u", /\[\]|\\\{|[\w]-\]/.test(source) ? "" : "u"));
    // "[]a]" means something else to JavaScript.
    if (source.startsWith("[]")) return;
    for (const text of texts) expect([text, pattern.isIn(text)]).toEqual([text, expected.test(text)]);
  });

  it("takes a bracket first in a set for itself", () => {
    expect(new Pattern("^[]a]+$").isIn("]a]")).toBe(true);
    expect(new Pattern("^[^]a]+$").isIn("]")).toBe(false);
  });

  it.each([
    ["(", 'a ")" is missing'],
    ["a)", '")" without "("'],
    ["[a", 'a "]" is missing'],
    ["*a", 'nothing stands before "*"'],
    ["a{9999}", "times"],
    ["a{3,2}", "times"],
    ["(a)\\1", "cannot be asked for again"],
    ["(?=a)", "only"],
    ["\\", "ends too early"],
    ["[z-a]", "range"],
    ["(((a{200}){200}){200})", "too large"],
    ["(".repeat(100), "too deep"],
  ])("refuses %j and says why", (source, why) => {
    expect(() => new Pattern(source)).toThrow(why);
  });

  it("does not hang on what makes others hang", () => {
    const text = `${"a".repeat(4000)}!`;
    for (const source of ["^(a+)+$", "^(a|a)*$", "(a*)*b", "(.*a){12}b", "^(([a-z])+.)+[A-Z]([a-z])+$"]) {
      expect(new Pattern(source).isIn(text)).toBe(false);
    }
  });
});
