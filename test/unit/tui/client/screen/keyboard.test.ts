import { describe, expect, it } from "vitest";
import { Keyboard } from "../../../../../tui/client/screen/keyboard.js";

const [shift, control, alt] = [0xffe1, 0xffe3, 0xffe9];

describe("keys of a terminal", () => {
  it.each([
    ["a", 0x61, []],
    ["A", 0x41, [shift]],
    ["!", 0x21, [shift]],
    ["ä", 0xe4, []],
    ["€", 0x10020ac, []],
    ["\r", 0xff0d, []],
    ["\t", 0xff09, []],
    ["\x7f", 0xff08, []],
    ["\x1b", 0xff1b, []],
    ["\x03", 0x63, [control]],
    ["\x1c", 0x5c, [control]],
    ["\x1bx", 0x78, [alt]],
    ["\x1b[A", 0xff52, []],
    ["\x1bOB", 0xff54, []],
    ["\x1b[1;5C", 0xff53, [control]],
    ["\x1b[3~", 0xffff, []],
    ["\x1b[5;2~", 0xff55, [shift]],
    ["\x1bOP", 0xffbe, []],
    ["\x1b[24~", 0xffc9, []],
    ["\x1b[Z", 0xff09, [shift]],
  ])("%j is a key and those that are held with it", (typed, key, held) => {
    expect(new Keyboard().read(Buffer.from(typed))).toEqual({ keys: [{ key, held }], left: false });
  });

  it("are told apart when they come together, and characters put together that come apart", () => {
    const keyboard = new Keyboard();
    const [first, ...rest] = Buffer.from("ü");
    expect(
      keyboard.read(Buffer.concat([Buffer.from("l\x1b[Ds"), Buffer.from([first ?? 0])])).keys.map(({ key }) => key),
    ).toEqual([0x6c, 0xff51, 0x73]);
    expect(keyboard.read(Buffer.from(rest)).keys).toEqual([{ key: 0xfc, held: [] }]);
  });

  it("end with Ctrl-], and what is no key is none", () => {
    expect(new Keyboard().read(Buffer.from("\x1b[99~a\x1d b"))).toEqual({
      keys: [{ key: 0x61, held: [] }],
      left: true,
    });
  });
});
