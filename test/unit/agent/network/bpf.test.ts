import { describe, expect, it } from "vitest";
import {
  type Instruction,
  packInstructions,
  parseInstructions,
  seeingTags,
  takeAll,
} from "../../../../agent/network/captures/bpf.js";

const ancillary = 0xffff_f000;

describe("the filter of a capture", () => {
  it("takes so much of every frame when there is none", () => {
    expect(takeAll(128)).toEqual([[6, 0, 0, 128]]);
  });

  it("is read as tcpdump prints it", () => {
    expect(parseInstructions("4\n40 0 0 12\n21 0 1 2048\n6 0 0 128\n6 0 0 0\n")).toEqual([
      [40, 0, 0, 12],
      [21, 0, 1, 2048],
      [6, 0, 0, 128],
      [6, 0, 0, 0],
    ]);
  });

  it.each(["", "0\n", "1\n", "2\n6 0 0 0\n", "1\n6 0 0\n", "1\n6 0 0 0 0\n", "1\n-6 0 0 0\n", "one\n6 0 0 0\n"])(
    "is refused when tcpdump prints %j",
    (text) => {
      expect(() => parseInstructions(text)).toThrow("no program");
    },
  );

  it("looks for the tag beside frames that the kernel took it out of, and for the rest four bytes earlier", () => {
    const program: readonly Instruction[] = [
      [0x28, 0, 0, 12],
      [0x28, 0, 0, 14],
      [0x28, 0, 0, 16],
      [0x20, 0, 0, 30],
      [0x30, 0, 0, 6],
      [0xb1, 0, 0, 18],
      [0x48, 0, 0, 18],
      [0x15, 3, 4, 12],
      [0x06, 0, 0, 128],
    ];
    const whole = seeingTags(program);
    expect(whole.slice(0, 3)).toEqual([
      [0x30, 0, 0, ancillary + 48],
      [0x15, 1, 0, 0],
      [0x05, 0, 0, program.length],
    ]);
    expect(whole.slice(3, 3 + program.length)).toEqual(program);
    expect(whole.slice(3 + program.length)).toEqual([
      [0x28, 0, 0, ancillary + 60],
      [0x28, 0, 0, ancillary + 44],
      [0x28, 0, 0, 12],
      [0x20, 0, 0, 26],
      [0x30, 0, 0, 6],
      [0xb1, 0, 0, 14],
      [0x48, 0, 0, 14],
      [0x15, 3, 4, 12],
      [0x06, 0, 0, 128],
    ]);
  });

  it.each([
    [0x20, 12],
    [0x20, 10],
    [0x28, 13],
    [0x30, 15],
    [0x48, 4],
  ])("is refused when it reads over a tag (code %i at %i)", (code, at) => {
    expect(() => seeingTags([[code, 0, 0, at]])).toThrow("VLAN tag");
  });

  it("is refused when the kernel could not take it twice", () => {
    expect(() => seeingTags(Array.from({ length: 2047 }, () => [6, 0, 0, 0] as const))).toThrow("too long");
  });

  it("is packed as the kernel takes it", () => {
    expect(packInstructions([[0x15, 1, 2, 0x0800]])).toEqual(Buffer.from([0x15, 0, 1, 2, 0, 8, 0, 0]));
  });
});
