import { expect, test } from "vitest";
import { Assembler } from "../../../../../agent/network/segments/assembler.js";
import { rememberSegments, restoreSegments } from "../../../../../agent/network/segments/programs.js";

test("instructions are written as the kernel reads them", () => {
  const program = new Assembler();
  program.move(6, { register: 1 });
  program.load("word", 8, { base: 6, offset: 176 });
  program.jumpIf(8, "equal", 0, "out");
  program.store("half", -48, 0x0102);
  program.loadMap(1, 7);
  program.negate(2);
  program.jumpIf(8, "lessOrEqual", { register: 1 }, "out");
  program.call(26);
  program.label("out");
  program.move(0, -1);
  program.exit();
  // struct bpf_insn: code, registers (to in the low half), offset of 16 bits, value of 32 bits.
  expect(program.assemble().toString("hex").match(/.{16}/g)).toEqual([
    "bf16000000000000",
    "6168b00000000000",
    "1508060000000000",
    "6a0ad0ff02010000",
    "1811000007000000",
    "0000000000000000",
    "8702000000000000",
    "bd18010000000000",
    "850000001a000000",
    "b7000000ffffffff",
    "9500000000000000",
  ]);
});

test("a label stands once, and a jump leads to one", () => {
  const program = new Assembler();
  program.label("out");
  expect(() => program.label("out")).toThrow("label out stands twice");
  program.jump("nowhere");
  expect(() => program.assemble()).toThrow("there is no label nowhere");
});

test("the programs differ by the map alone", () => {
  for (const write of [rememberSegments, restoreSegments]) {
    const [one, other] = [write(3), write(300)];
    const differ = [...one].filter((byte, index) => byte !== other[index]);
    expect(one.length).toBe(other.length);
    expect(differ).toHaveLength(2);
  }
});
