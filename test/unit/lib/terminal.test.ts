import { describe, expect, it } from "vitest";
import { understandsEscapes } from "../../../lib/terminal.js";

describe("a terminal understands escape sequences", () => {
  it.each([
    ["xterm-256color", true],
    ["screen", true],
    ["linux", true],
    ["vt100", true],
    ["dumb", false],
    ["dumb-emacs-ansi", false],
    ["unknown", false],
    ["", false],
  ])("with TERM=%s: %s", (TERM, expected) => {
    expect(understandsEscapes({ TERM })).toBe(expected);
  });

  it("not without TERM", () => {
    expect(understandsEscapes({})).toBe(false);
  });
});
