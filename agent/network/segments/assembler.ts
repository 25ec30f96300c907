/** Registers of eBPF: r0 results, r1 to r5 arguments, r6 to r9 kept over calls, r10 the end of the stack (bpf(2)). */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** Sizes of loads and stores, in the kernel's codes. */
const sizes = { word: 0x00, half: 0x08, byte: 0x10, double: 0x18 } as const;
type Size = keyof typeof sizes;

/** Comparisons of jumps. */
const comparisons = { always: 0x00, equal: 0x10, greater: 0x20, notEqual: 0x50, lessOrEqual: 0xb0 } as const;

const classes = {
  loadImmediate: 0x00,
  load: 0x01,
  store: 0x02,
  storeRegister: 0x03,
  jump: 0x05,
  arithmetic: 0x07,
} as const;
const [memory, fromRegister] = [0x60, 0x08];
const operations = { add: 0x00, subtract: 0x10, and: 0x50, shiftLeft: 0x60, negate: 0x80, move: 0xb0 } as const;
const [callCode, exitCode, pseudoMap] = [0x85, 0x95, 1];
const instructionBytes = 8;

interface Instruction {
  readonly code: number;
  readonly to?: Register;
  readonly from?: number;
  readonly offset?: number;
  readonly value?: number;
  /** A label to jump to. */
  readonly target?: string;
}

/** A constant, or what a register holds. */
type Operand = number | { readonly register: Register };

/** Writes a program of eBPF, instruction by instruction. */
export class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();

  /** The next instruction is known by this name. */
  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label ${name} stands twice`);
    this.#labels.set(name, this.#instructions.length);
  }

  move(to: Register, operand: Operand): void {
    this.#arithmetic("move", to, operand);
  }

  add(to: Register, operand: Operand): void {
    this.#arithmetic("add", to, operand);
  }

  subtract(to: Register, operand: Operand): void {
    this.#arithmetic("subtract", to, operand);
  }

  and(to: Register, operand: Operand): void {
    this.#arithmetic("and", to, operand);
  }

  shiftLeft(to: Register, operand: Operand): void {
    this.#arithmetic("shiftLeft", to, operand);
  }

  negate(to: Register): void {
    this.#instructions.push({ code: classes.arithmetic | operations.negate, to });
  }

  /** to = the memory at base + offset. */
  load(size: Size, to: Register, { base, offset }: { readonly base: Register; readonly offset: number }): void {
    this.#instructions.push({ code: classes.load | memory | sizes[size], to, from: base, offset });
  }

  /** The memory at an offset from the end of the stack = operand. */
  store(size: Size, offset: number, operand: Operand): void {
    const place = { to: 10, offset } as const;
    if (typeof operand === "number")
      this.#instructions.push({ code: classes.store | memory | sizes[size], ...place, value: operand });
    else
      this.#instructions.push({
        code: classes.storeRegister | memory | sizes[size],
        ...place,
        from: operand.register,
      });
  }

  /** to = a map, by the descriptor that it has while the program is loaded. */
  loadMap(to: Register, descriptor: number): void {
    this.#instructions.push({
      code: classes.loadImmediate | sizes.double,
      to,
      from: pseudoMap,
      value: descriptor,
    });
    this.#instructions.push({ code: 0 });
  }

  jump(target: string): void {
    this.#instructions.push({ code: classes.jump | comparisons.always, target });
  }

  jumpIf(
    left: Register,
    comparison: Exclude<keyof typeof comparisons, "always">,
    right: Operand,
    target: string,
  ): void {
    const code = classes.jump | comparisons[comparison];
    if (typeof right === "number") this.#instructions.push({ code, to: left, value: right, target });
    else this.#instructions.push({ code: code | fromRegister, to: left, from: right.register, target });
  }

  /** Calls a helper of the kernel by its number (bpf-helpers(7)). */
  call(helper: number): void {
    this.#instructions.push({ code: callCode, value: helper });
  }

  exit(): void {
    this.#instructions.push({ code: exitCode });
  }

  /** The program as the kernel takes it: struct bpf_insn, little endian. */
  assemble(): Buffer {
    const program = Buffer.alloc(this.#instructions.length * instructionBytes);
    for (const [index, { code, to = 0, from = 0, offset = 0, value = 0, target }] of this.#instructions.entries()) {
      const at = index * instructionBytes;
      program.writeUInt8(code, at);
      program.writeUInt8(to | (from << 4), at + 1);
      program.writeInt16LE(target === undefined ? offset : this.#at(target) - index - 1, at + 2);
      program.writeInt32LE(value, at + 4);
    }
    return program;
  }

  #at(label: string): number {
    const at = this.#labels.get(label);
    if (at === undefined) throw new Error(`there is no label ${label}`);
    return at;
  }

  #arithmetic(operation: keyof typeof operations, to: Register, operand: Operand): void {
    const code = classes.arithmetic | operations[operation];
    if (typeof operand === "number") this.#instructions.push({ code, to, value: operand });
    else this.#instructions.push({ code: code | fromRegister, to, from: operand.register });
  }
}
