import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BpfFilter } from "../../../../../agent/engine/impair/bpf-filter.js";
import { readBpfProgram } from "../../../../../agent/engine/protocol/drop-program.js";
import { type Instruction, packInstructions } from "../../../../../agent/network/captures/bpf.js";

const matches = (program: readonly Instruction[], frame: Buffer): boolean =>
  new BpfFilter(readBpfProgram(packInstructions(program))).matches(
    Buffer.concat([Buffer.alloc(5), frame]),
    5,
    frame.length,
  );

/** What "tcpdump -ddd" says of "tcp port 80". */
const tcpPort80: readonly Instruction[] = [
  [0x28, 0, 0, 12],
  [0x15, 0, 6, 0x86dd],
  [0x30, 0, 0, 20],
  [0x15, 0, 15, 6],
  [0x28, 0, 0, 54],
  [0x15, 12, 0, 80],
  [0x28, 0, 0, 56],
  [0x15, 10, 11, 80],
  [0x15, 0, 10, 0x800],
  [0x30, 0, 0, 23],
  [0x15, 0, 8, 6],
  [0x28, 0, 0, 20],
  [0x45, 6, 0, 0x1fff],
  [0xb1, 0, 0, 14],
  [0x48, 0, 0, 14],
  [0x15, 2, 0, 80],
  [0x48, 0, 0, 16],
  [0x15, 0, 1, 80],
  [6, 0, 0, 262_144],
  [6, 0, 0, 0],
];

/** A frame of IPv4 with options, of this protocol, between these ports. */
function ipv4(options: {
  readonly protocol: number;
  readonly ports: readonly [number, number];
  readonly fragment?: number;
}) {
  const frame = Buffer.alloc(14 + 24 + 20);
  frame.writeUInt16BE(0x800, 12);
  frame[14] = 0x46;
  frame.writeUInt16BE(options.fragment ?? 0, 20);
  frame[23] = options.protocol;
  frame.writeUInt16BE(options.ports[0], 38);
  frame.writeUInt16BE(options.ports[1], 40);
  return frame;
}

describe("a program of tcpdump's", () => {
  test.each([
    ["to port 80", ipv4({ protocol: 6, ports: [999, 80] }), true],
    ["from port 80", ipv4({ protocol: 6, ports: [80, 999] }), true],
    ["of another port", ipv4({ protocol: 6, ports: [81, 8_080] }), false],
    ["of UDP", ipv4({ protocol: 17, ports: [80, 80] }), false],
    ["a later fragment", ipv4({ protocol: 6, ports: [80, 80], fragment: 100 }), false],
    ["cut off before its ports", ipv4({ protocol: 6, ports: [80, 80] }).subarray(0, 39), false],
    ["of nothing", Buffer.alloc(0), false],
  ])("sees frames %s", (_what, frame, expected) => {
    expect(matches(tcpPort80, frame)).toBe(expected);
  });
});

describe("arithmetic has 32 bits without sign", () => {
  const ofA = (...program: Instruction[]) => [...program, [0x16, 0, 0, 0] as Instruction];
  const is = (value: number): Instruction[] => [
    [0x15, 1, 0, value],
    [6, 0, 0, 0],
    [6, 0, 0, 1],
  ];
  test.each<[string, readonly Instruction[]]>([
    ["addition", [[0, 0, 0, 0xffff_ffff], [0x04, 0, 0, 2], ...is(1)]],
    ["subtraction", [[0, 0, 0, 1], [0x14, 0, 0, 2], ...is(0xffff_ffff)]],
    ["multiplication", [[0, 0, 0, 0x1_0001], [0x24, 0, 0, 0x1_0001], ...is(0x2_0001)]],
    ["division", [[0, 0, 0, 0xffff_ffff], [0x34, 0, 0, 2], ...is(0x7fff_ffff)]],
    ["remainders", [[0, 0, 0, 0xffff_ffff], [0x94, 0, 0, 10], ...is(5)]],
    ["shifts", [[0, 0, 0, 1], [0x64, 0, 0, 31], ...is(0x8000_0000)]],
    ["shifts to the right", [[0, 0, 0, 0x8000_0000], [0x74, 0, 0, 31], ...is(1)]],
    ["the sign", [[0, 0, 0, 1], [0x84, 0, 0, 0], ...is(0xffff_ffff)]],
    [
      "bits",
      [[0, 0, 0, 0xf0f0_f0f0], [1, 0, 0, 0xff00_ff00], [0x5c, 0, 0, 0], [0xa4, 0, 0, 0xf000_0000], ...is(0xf000)],
    ],
    ["memory", [[0, 0, 0, 7], [0x02, 0, 0, 15], [0, 0, 0, 0], [0x60, 0, 0, 15], ...is(7)]],
    [
      "comparison",
      [
        [0, 0, 0, 0xffff_ffff],
        [0x25, 0, 1, 1],
        [6, 0, 0, 1],
        [6, 0, 0, 0],
      ],
    ],
    ["the length", [[0x80, 0, 0, 0], ...is(4)]],
    ["a word", [[0x20, 0, 0, 0], ...is(0xfffe_fdfc)]],
  ])("%s", (_what, program) => {
    expect(matches(program, Buffer.from([0xff, 0xfe, 0xfd, 0xfc]))).toBe(true);
  });

  test("what is divided by an X of 0, or read beyond all ends, does not match", () => {
    const frame = Buffer.alloc(20, 0xff);
    expect(matches(ofA([0, 0, 0, 5], [0x3c, 0, 0, 0]), frame)).toBe(false);
    for (const code of [0x20, 0x28, 0x30, 0x40, 0x48, 0x50])
      expect(matches(ofA([1, 0, 0, 19], [code, 0, 0, 0xffff_f000]), frame)).toBe(false);
  });
});

describe("a program is refused", () => {
  test.each<[string, readonly Instruction[]]>([
    ["that is empty", []],
    ["that does not return", [[0, 0, 0, 1]]],
    [
      "that jumps beyond its end",
      [
        [5, 0, 0, 1],
        [6, 0, 0, 0],
      ],
    ],
    [
      "that jumps far beyond its end",
      [
        [5, 0, 0, 0xffff_ffff],
        [6, 0, 0, 0],
      ],
    ],
    [
      "whose condition jumps beyond its end",
      [
        [0x15, 0, 1, 0],
        [6, 0, 0, 0],
      ],
    ],
    [
      "that stores beyond the memory",
      [
        [2, 0, 0, 16],
        [6, 0, 0, 0],
      ],
    ],
    [
      "that divides by 0",
      [
        [0x34, 0, 0, 0],
        [6, 0, 0, 0],
      ],
    ],
    [
      "that shifts by 32",
      [
        [0x64, 0, 0, 32],
        [6, 0, 0, 0],
      ],
    ],
    [
      "with an instruction that there is not",
      [
        [0xfff0, 0, 0, 0],
        [6, 0, 0, 0],
      ],
    ],
  ])("%s", (_what, program) => {
    expect(() => readBpfProgram(packInstructions(program))).toThrow();
  });

  test("of half an instruction, and of more than the kernel takes", () => {
    expect(() => readBpfProgram(Buffer.alloc(12))).toThrow(/no program/);
    expect(() => readBpfProgram(packInstructions(Array.from({ length: 4_097 }, () => [6, 0, 0, 0])))).toThrow(
      /no program/,
    );
  });

  test("or it ends, whatever is in it", () => {
    const known = [
      0, 1, 2, 3, 4, 5, 6, 7, 0x15, 0x1d, 0x20, 0x25, 0x28, 0x30, 0x35, 0x40, 0x45, 0x50, 0x60, 0x61, 0x87, 0x94, 0xb1,
    ];
    const instruction = fc.tuple(
      fc.constantFrom(...known),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
      fc.oneof(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 0xffff_ffff })),
    );
    const property = fc.property(
      fc.array(instruction, { maxLength: 20 }),
      fc.uint8Array({ maxLength: 40 }),
      (body, frame) => {
        const bytes = packInstructions([...body, [6, 0, 0, 0], [6, 0, 0, 1], [6, 0, 0, 0], [6, 0, 0, 1]]);
        let program: ReturnType<typeof readBpfProgram>;
        try {
          program = readBpfProgram(bytes);
        } catch {
          return true;
        }
        return typeof new BpfFilter(program).matches(Buffer.from(frame), 0, frame.length) === "boolean";
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });
});
