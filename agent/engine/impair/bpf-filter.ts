import { bpf, type BpfProgram, memoryWords, operandIsX } from "../protocol/drop-program.js";

/**
 * Runs a checked program of classic BPF on frames, as the kernel does. It ends, because jumps go forward only; what it reads beyond the
 * end of a frame makes it not match.
 */
export class BpfFilter {
  readonly #program: BpfProgram;
  readonly #memory = new Uint32Array(memoryWords);

  constructor(program: BpfProgram) {
    this.#program = program;
  }

  /** Whether the frame of `length` bytes at `at` matches. Allocates nothing. */
  matches(buffer: Buffer, at: number, length: number): boolean {
    const { codes, ifTrue, ifFalse, operands } = this.#program;
    const memory = this.#memory;
    memory.fill(0);
    let a = 0;
    let x = 0;
    for (let place = 0; place < codes.length; place += 1) {
      const code = codes[place] ?? 0;
      const k = operands[place] ?? 0;
      switch (code) {
        case bpf.returnConstant:
          return k !== 0;
        case bpf.returnA:
          return a !== 0;
        case bpf.loadWord:
        case bpf.loadWordAtX: {
          const from = code === bpf.loadWord ? k : (k + x) >>> 0;
          if (from + 4 > length) return false;
          a = word(buffer, at + from);
          break;
        }
        case bpf.loadHalf:
        case bpf.loadHalfAtX: {
          const from = code === bpf.loadHalf ? k : (k + x) >>> 0;
          if (from + 2 > length) return false;
          a = ((buffer[at + from] ?? 0) << 8) | (buffer[at + from + 1] ?? 0);
          break;
        }
        case bpf.loadByte:
        case bpf.loadByteAtX: {
          const from = code === bpf.loadByte ? k : (k + x) >>> 0;
          if (from >= length) return false;
          a = buffer[at + from] ?? 0;
          break;
        }
        case bpf.xHeaderLength:
          if (k >= length) return false;
          x = ((buffer[at + k] ?? 0) & 15) << 2;
          break;
        case bpf.loadConstant:
          a = k;
          break;
        case bpf.loadMemory:
          a = memory[k] ?? 0;
          break;
        case bpf.loadLength:
          a = length;
          break;
        case bpf.xConstant:
          x = k;
          break;
        case bpf.xMemory:
          x = memory[k] ?? 0;
          break;
        case bpf.xLength:
          x = length;
          break;
        case bpf.store:
          memory[k] = a;
          break;
        case bpf.storeX:
          memory[k] = x;
          break;
        case bpf.aToX:
          x = a;
          break;
        case bpf.xToA:
          a = x;
          break;
        case bpf.jump:
          place += k;
          break;
        case bpf.negate:
          a = -a >>> 0;
          break;
        default: {
          const other = (code & operandIsX) === 0 ? k : x;
          if ((code & 7) === jumpClass) {
            place += holds(code, a, other) ? (ifTrue[place] ?? 0) : (ifFalse[place] ?? 0);
            break;
          }
          if (other === 0 && isDivision(code)) return false;
          a = reckon(code, a, other);
        }
      }
    }
    return false;
  }
}

/** Low bits of the codes of jumps. */
const jumpClass = bpf.jump & 7;

function word(buffer: Buffer, at: number): number {
  const low = ((buffer[at + 1] ?? 0) << 16) | ((buffer[at + 2] ?? 0) << 8) | (buffer[at + 3] ?? 0);
  return (((buffer[at] ?? 0) << 24) | low) >>> 0;
}

function holds(code: number, a: number, other: number): boolean {
  switch (code & ~operandIsX) {
    case bpf.jumpIfEqual:
      return a === other;
    case bpf.jumpIfMore:
      return a > other;
    case bpf.jumpIfNotLess:
      return a >= other;
    default:
      return (a & other) !== 0;
  }
}

function isDivision(code: number): boolean {
  const operation = code & ~operandIsX;
  return operation === bpf.divide || operation === bpf.remainder;
}

/** All of it in 32 bits without sign; shifts by X take its lowest five bits, as the processor does. */
function reckon(code: number, a: number, other: number): number {
  switch (code & ~operandIsX) {
    case bpf.add:
      return (a + other) >>> 0;
    case bpf.subtract:
      return (a - other) >>> 0;
    case bpf.multiply:
      return Math.imul(a, other) >>> 0;
    case bpf.divide:
      return Math.floor(a / other);
    case bpf.remainder:
      return a % other;
    case bpf.or:
      return (a | other) >>> 0;
    case bpf.and:
      return (a & other) >>> 0;
    case bpf.xor:
      return (a ^ other) >>> 0;
    case bpf.shiftLeft:
      return (a << other) >>> 0;
    default:
      return a >>> other;
  }
}
