import { checked, libc, NativeMemory } from "../../../lib/libc.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype is what makes it true.
const syscall = libc.func("long syscall(long number, int command, size_t attributes, uint size)") as unknown as (
  number: number,
  command: number,
  attributes: number,
  size: number,
) => number;

/** Number of bpf(2), which the C library has no function for. */
const callNumber = process.arch === "arm64" ? 280 : 321;
const commands = { createMap: 0, loadProgram: 5, openProgram: 13 } as const;
const [mapOfRecent, schedulerClassifier] = [9, 3];
/** union bpf_attr; all that is not set is 0. */
const attributeBytes = 144;
const license = "Apache-2.0";
const maxNameBytes = 15;

/**
 * A map of which the kernel forgets what has not been used for longest when it is full. Returns its descriptor.
 * @throws {SystemCallError} EPERM, or ENOSYS without BPF.
 */
export function createRecentMap(options: {
  readonly name: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly entries: number;
}): number {
  const { buffer, address } = attributes();
  buffer.writeUInt32LE(mapOfRecent, 0);
  buffer.writeUInt32LE(options.keyBytes, 4);
  buffer.writeUInt32LE(options.valueBytes, 8);
  buffer.writeUInt32LE(options.entries, 12);
  buffer.write(options.name.slice(0, maxNameBytes), 28, "latin1");
  return checked("bpf(BPF_MAP_CREATE)", syscall(callNumber, commands.createMap, address, attributeBytes));
}

/**
 * Has the kernel check a program for filters of tc. Returns its descriptor.
 * @throws {SystemCallError} EINVAL: the kernel does not know one of its helpers; EACCES: it was refused.
 */
export function loadClassifier(name: string, program: Buffer): number {
  const { buffer, address } = attributes();
  const code = new NativeMemory(program.length);
  code.buffer.set(program);
  const words = new NativeMemory(license.length + 1);
  words.buffer.fill(0);
  words.buffer.write(license, "latin1");
  buffer.writeUInt32LE(schedulerClassifier, 0);
  buffer.writeUInt32LE(program.length / 8, 4);
  buffer.writeBigUInt64LE(BigInt(code.address), 8);
  buffer.writeBigUInt64LE(BigInt(words.address), 16);
  buffer.write(name.slice(0, maxNameBytes), 48, "latin1");
  return checked("bpf(BPF_PROG_LOAD)", syscall(callNumber, commands.loadProgram, address, attributeBytes));
}

/**
 * A program that the kernel has, by its id. Returns a descriptor.
 * @throws {SystemCallError} ENOENT: there is none.
 */
export function openProgram(id: number): number {
  const { buffer, address } = attributes();
  buffer.writeUInt32LE(id, 0);
  return checked("bpf(BPF_PROG_GET_FD_BY_ID)", syscall(callNumber, commands.openProgram, address, attributeBytes));
}

function attributes(): NativeMemory {
  const memory = new NativeMemory(attributeBytes);
  memory.buffer.fill(0);
  return memory;
}
