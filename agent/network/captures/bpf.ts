import { invalidArgument } from "../../../lib/errors.js";

/** An instruction of classic BPF: code, jump if true and if false, operand (bpf(4)). */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/** Most instructions of a program, BPF_MAXINSNS of the kernel. */
const maxInstructions = 4096;

const codes = {
  returnConstant: 0x06,
  jump: 0x05,
  jumpIfEqual: 0x15,
  loadWord: 0x20,
  loadHalf: 0x28,
  loadByte: 0x30,
  /** Word, half and byte at an offset that register X is added to. */
  indirect: [0x40, 0x48, 0x50],
  /** 4 * (byte & 15), the length of an IP header. */
  headerLength: 0xb1,
} as const;

/** Offsets that mean what the kernel knows beside the frame (SKF_AD_OFF of linux/filter.h). */
const ancillary = 0xffff_f000;
const [vlanTag, vlanTagPresent, vlanProtocol] = [ancillary + 44, ancillary + 48, ancillary + 60];
/** Where a VLAN tag stands in a frame, and its bytes. */
const [tagAt, tagBytes] = [12, 4];

/** A program that takes so many bytes of every frame. */
export function takeAll(snapBytes: number): readonly Instruction[] {
  return [[codes.returnConstant, 0, 0, snapBytes]];
}

/** A program that takes no frame. */
export const takeNone: readonly Instruction[] = [[codes.returnConstant, 0, 0, 0]];

/**
 * A program of libpcap's, which reads frames as they are on the wire, for a kernel that takes the outer VLAN tag out of a frame before
 * filters see it and keeps it beside: with a second copy for such frames, whose offsets are moved and whose looks at the tag are looks
 * beside the frame. Pure.
 * @throws {ZorError} INVALID_ARGUMENT for a program that reads parts of a tag together with something else.
 */
export function seeingTags(program: readonly Instruction[]): readonly Instruction[] {
  const tagged = program.map(behindTag);
  const whole: readonly Instruction[] = [
    [codes.loadByte, 0, 0, vlanTagPresent],
    [codes.jumpIfEqual, 1, 0, 0],
    [codes.jump, 0, 0, program.length],
    ...program,
    ...tagged,
  ];
  if (whole.length <= maxInstructions) return whole;
  throw invalidArgument("filter", `is too long a program for the kernel; make it simpler`);
}

function behindTag(instruction: Instruction): Instruction {
  const [code, ifTrue, ifFalse, at] = instruction;
  const moved = (offset: number): Instruction => [code, ifTrue, ifFalse, offset];
  const isIndirect = (codes.indirect as readonly number[]).includes(code);
  if (isIndirect || code === codes.headerLength) {
    // What follows the ethertype of an untagged frame is read only where that says so, which is never of a tagged one.
    if (at >= tagAt + 2) return moved(at - tagBytes);
    if (code === codes.headerLength && at + 1 <= tagAt) return instruction;
    throw overTag();
  }
  const size = sizeOf(code);
  if (size === 0 || at + size <= tagAt || at >= ancillary) return instruction;
  if (at >= tagAt + tagBytes) return moved(at - tagBytes);
  if (size === 2 && at === tagAt) return moved(vlanProtocol);
  if (size === 2 && at === tagAt + 2) return moved(vlanTag);
  throw overTag();
}

function sizeOf(code: number): number {
  if (code === codes.loadWord) return 4;
  if (code === codes.loadHalf) return 2;
  return code === codes.loadByte ? 1 : 0;
}

function overTag(): Error {
  return invalidArgument(
    "filter",
    'reads bytes where a VLAN tag may stand in a way that cannot be done for tagged frames; use "ether proto" and "vlan" instead of ether[...]',
  );
}

/** What "tcpdump -ddd" prints: the number of instructions, and four numbers for each. @throws {Error} for anything else. */
export function parseInstructions(text: string): readonly Instruction[] {
  const [first = "", ...lines] = text.trimEnd().split("\n");
  const program = lines.map((line): Instruction => {
    const [code, ifTrue, ifFalse, operand, ...rest] = line
      .split(" ")
      .map((word) => (/^\d{1,10}$/.test(word) ? Number(word) : -1));
    if (rest.length > 0 || ![code, ifTrue, ifFalse, operand].every((each) => each !== undefined && each >= 0))
      throw unreadable();
    return [code as number, ifTrue as number, ifFalse as number, operand as number];
  });
  if (Number(first) !== program.length || program.length === 0 || program.length > maxInstructions) throw unreadable();
  return program;
}

function unreadable(): Error {
  return new Error("tcpdump printed something that is no program of BPF");
}

/** A program as the kernel takes it: struct sock_filter each. */
export function packInstructions(program: readonly Instruction[]): Buffer {
  const packed = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, operand]] of program.entries()) {
    packed.writeUInt16LE(code, index * 8);
    packed.set([ifTrue, ifFalse], index * 8 + 2);
    packed.writeUInt32LE(operand, index * 8 + 4);
  }
  return packed;
}
