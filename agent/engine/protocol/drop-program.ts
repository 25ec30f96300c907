import { type FieldViolation, messageOf } from "../../../lib/errors.js";
import type { DropFilterField } from "../../../lib/impairment.js";
import type { DropProgram } from "../../../proto/gen/zor/agent/v1/cable_service.js";

/** A program of classic BPF that was checked: the parts of its instructions by place. */
export interface BpfProgram {
  readonly codes: Uint16Array;
  readonly ifTrue: Uint8Array;
  readonly ifFalse: Uint8Array;
  readonly operands: Uint32Array;
}

/** Words of memory that a program has, BPF_MEMWORDS of the kernel. */
export const memoryWords = 16;
/** BPF_MAXINSNS of the kernel. */
const maxInstructions = 4096;
const instructionBytes = 8;

/** Codes of linux/bpf_common.h, as an interpreter meets them. */
export const bpf = {
  loadWord: 0x20,
  loadHalf: 0x28,
  loadByte: 0x30,
  loadWordAtX: 0x40,
  loadHalfAtX: 0x48,
  loadByteAtX: 0x50,
  loadConstant: 0x00,
  loadMemory: 0x60,
  loadLength: 0x80,
  xConstant: 0x01,
  xMemory: 0x61,
  xLength: 0x81,
  xHeaderLength: 0xb1,
  store: 0x02,
  storeX: 0x03,
  add: 0x04,
  subtract: 0x14,
  multiply: 0x24,
  divide: 0x34,
  or: 0x44,
  and: 0x54,
  shiftLeft: 0x64,
  shiftRight: 0x74,
  negate: 0x84,
  remainder: 0x94,
  xor: 0xa4,
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpIfMore: 0x25,
  jumpIfNotLess: 0x35,
  jumpIfAnyBit: 0x45,
  returnConstant: 0x06,
  returnA: 0x16,
  aToX: 0x07,
  xToA: 0x87,
} as const;

/** Set in the code of an instruction whose second operand is X instead of a constant. */
export const operandIsX = 0x08;

const withX: ReadonlySet<number> = new Set([
  ...[bpf.add, bpf.subtract, bpf.multiply, bpf.divide, bpf.or, bpf.and, bpf.shiftLeft, bpf.shiftRight, bpf.remainder],
  ...[bpf.xor, bpf.jumpIfEqual, bpf.jumpIfMore, bpf.jumpIfNotLess, bpf.jumpIfAnyBit],
]);
const known: ReadonlySet<number> = new Set([...Object.values(bpf), ...[...withX].map((code) => code | operandIsX)]);
const ofMemory: ReadonlySet<number> = new Set([bpf.loadMemory, bpf.xMemory, bpf.store, bpf.storeX]);
const shifts: ReadonlySet<number> = new Set([bpf.shiftLeft, bpf.shiftRight]);
const divisions: ReadonlySet<number> = new Set([bpf.divide, bpf.remainder]);
const conditional: ReadonlySet<number> = new Set(
  [bpf.jumpIfEqual, bpf.jumpIfMore, bpf.jumpIfNotLess, bpf.jumpIfAnyBit].flatMap((code) => [code, code | operandIsX]),
);

/**
 * Reads a program, struct sock_filter each, and checks it as the kernel does: every instruction is known, jumps go forward to one that
 * is there, memory is within its bounds, nothing is divided by a constant 0, and the last instruction returns. Such a program ends.
 * @throws {Error} that says what is wrong.
 */
export function readBpfProgram(bytes: Uint8Array): BpfProgram {
  const count = bytes.length / instructionBytes;
  if (!Number.isInteger(count) || count < 1 || count > maxInstructions)
    throw new Error(`${bytes.length} bytes are no program of classic BPF`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const program = {
    codes: new Uint16Array(count),
    ifTrue: new Uint8Array(count),
    ifFalse: new Uint8Array(count),
    operands: new Uint32Array(count),
  };
  for (let place = 0; place < count; place += 1) {
    const at = place * instructionBytes;
    program.codes[place] = view.getUint16(at, true);
    program.ifTrue[place] = view.getUint8(at + 2);
    program.ifFalse[place] = view.getUint8(at + 3);
    program.operands[place] = view.getUint32(at + 4, true);
    const fault = faultOf(program, place);
    if (fault !== "") throw new Error(`instruction ${place} ${fault}`);
  }
  const last = program.codes[count - 1];
  if (last !== bpf.returnConstant && last !== bpf.returnA) throw new Error("the last instruction does not return");
  return program;
}

/** What is wrong with an instruction; empty: nothing. */
function faultOf(program: BpfProgram, place: number): string {
  const { codes, ifTrue, ifFalse, operands } = program;
  const [code = 0, operand = 0] = [codes[place], operands[place]];
  if (!known.has(code)) return "is not known";
  const following = codes.length - place - 1;
  const farthest = conditional.has(code)
    ? Math.max(ifTrue[place] ?? 0, ifFalse[place] ?? 0)
    : code === bpf.jump
      ? operand
      : -1;
  if (farthest >= following) return "jumps beyond the end";
  if (ofMemory.has(code) && operand >= memoryWords) return "uses memory that is not there";
  if (divisions.has(code) && operand === 0) return "divides by 0";
  if (shifts.has(code) && operand > 31) return "shifts by more than a word has";
  return "";
}

/** Programs that were checked, by the text of their filter. @throws {Error} for one that is none. */
export function readDropPrograms(programs: readonly DropProgram[]): ReadonlyMap<string, BpfProgram> {
  return new Map(programs.map(({ filter, program }) => [filter, readBpfProgram(program)]));
}

/** Checks that every filter has a good program; `field` is the proto path of the programs. */
export function checkDropPrograms(
  field: string,
  filters: readonly DropFilterField[],
  programs: readonly DropProgram[],
): FieldViolation[] {
  let known: ReadonlyMap<string, BpfProgram>;
  try {
    known = readDropPrograms(programs);
  } catch (error) {
    return [{ field, description: messageOf(error) }];
  }
  const missing = filters.find(({ filter }) => !known.has(filter));
  return missing === undefined ? [] : [{ field, description: `has none for ${missing.field}` }];
}
