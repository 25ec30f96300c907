import type { FileHandle } from "node:fs/promises";
import { arch } from "node:os";
import type { FieldViolation } from "../../../lib/errors.js";
import { exists } from "../../../lib/files.js";
import { quote } from "../../../lib/names.js";
import { defaultPath } from "./oci-config.js";
import type { RootView } from "./root-view.js";

/** A container's first program. */
export interface FirstProgram {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The command was not asked for: it is the default. */
  readonly isDefault: boolean;
}

const fields = { rootfs: "instance.spec.crun.rootfs", command: "instance.spec.crun.command" } as const;
const startBytes = 16 * 1024;
const maxInterpreters = 4;

/** Processors by the number ELF gives them (e_machine), with what the kernel's emulation of each is called. */
const machines: Readonly<
  Record<number, { readonly name: string; readonly emulator: string; readonly arches: readonly string[] }>
> = {
  3: { name: "i386", emulator: "qemu-i386", arches: ["x64", "ia32"] },
  8: { name: "mips", emulator: "qemu-mips", arches: ["mips"] },
  20: { name: "ppc", emulator: "qemu-ppc", arches: ["ppc"] },
  21: { name: "ppc64", emulator: "qemu-ppc64le", arches: ["ppc64"] },
  22: { name: "s390x", emulator: "qemu-s390x", arches: ["s390x"] },
  40: { name: "arm", emulator: "qemu-arm", arches: ["arm", "arm64"] },
  62: { name: "x86-64", emulator: "qemu-x86_64", arches: ["x64"] },
  183: { name: "arm64", emulator: "qemu-aarch64", arches: ["arm64"] },
  243: { name: "riscv64", emulator: "qemu-riscv64", arches: ["riscv64"] },
  258: { name: "loongarch64", emulator: "qemu-loongarch64", arches: ["loong64"] },
};

/**
 * Looks whether a container's first program is in its root filesystem and can run on this host, before it is run.
 * @returns what is wrong; empty when nothing is.
 */
export async function checkFirstProgram(root: RootView, program: FirstProgram): Promise<readonly FieldViolation[]> {
  const [word = ""] = program.command;
  const found = await findProgram(root, word, program.environment["PATH"] ?? defaultPath);
  if (typeof found === "string") return [violation(program, found)];
  await using file = found;
  return await checkProgram(root, file, { program, name: word, depth: 0 });
}

function violation({ command, isDefault }: FirstProgram, why: string): FieldViolation {
  if (!isDefault) return { field: fields.command, description: why };
  const word = command[0] ?? "";
  return {
    field: fields.command,
    description: `is not set, and ${why}; name a program that ${quote(word)} stands for, or use an image with a shell`,
  };
}

/** Opens a program as the runtime would find it; the reason when there is none. */
async function findProgram(root: RootView, word: string, searchPath: string): Promise<FileHandle | string> {
  const candidates = word.includes("/")
    ? [word]
    : searchPath.split(":").map((directory) => `${directory === "" ? "." : directory}/${word}`);
  let why = `there is no ${quote(word)} in the image`;
  for (const candidate of candidates) {
    const file = await root.open(candidate);
    if (file === undefined) continue;
    const found = await file.stat();
    if (found.isFile() && (found.mode & 0o111) !== 0) return file;
    await file.close();
    why = `${quote(word)} in the image is ${found.isFile() ? "not executable" : "no file"}`;
  }
  return why;
}

interface Subject {
  readonly program: FirstProgram;
  readonly name: string;
  readonly depth: number;
}

async function checkProgram(root: RootView, file: FileHandle, subject: Subject): Promise<readonly FieldViolation[]> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(startBytes), 0, startBytes, 0);
  const start = buffer.subarray(0, bytesRead);
  const foreign = await findForeignMachine(start);
  if (foreign !== undefined) {
    const own = Object.values(machines).find(({ arches }) => arches[0] === arch())?.name ?? arch();
    const description = `is made for ${foreign}: its ${quote(subject.name)} cannot run on this host, which is ${own}; use the image for ${own}`;
    return [{ field: fields.rootfs, description }];
  }
  const interpreter = findInterpreter(start);
  if (interpreter === undefined || subject.depth >= maxInterpreters) return [];
  const next = await findProgram(root, interpreter, "");
  if (typeof next === "string") {
    return [
      violation(subject.program, `${quote(subject.name)} needs ${quote(interpreter)}, which is not in the image`),
    ];
  }
  await using held = next;
  return await checkProgram(root, held, { ...subject, name: interpreter, depth: subject.depth + 1 });
}

/** Name of the processor that a program is for, when this host neither is one nor emulates it. */
async function findForeignMachine(start: Buffer): Promise<string | undefined> {
  if (start.length < 20 || start.toString("latin1", 0, 4) !== "\x7fELF") return undefined;
  const isLittleEndian = start[5] === 1;
  const number = isLittleEndian ? start.readUInt16LE(18) : start.readUInt16BE(18);
  const machine = machines[number];
  if (machine === undefined) return `an unknown processor (${number})`;
  if (machine.arches.includes(arch())) return undefined;
  const isEmulated = await exists(`/proc/sys/fs/binfmt_misc/${machine.emulator}`);
  return isEmulated ? undefined : machine.name;
}

/** What a program is run by: the "#!" of a script, or the loader that a 64-bit ELF program names (elf(5), PT_INTERP). */
function findInterpreter(start: Buffer): string | undefined {
  const script = /^#![ \t]*(\/[^ \t\r\n\0]{1,4095})/.exec(start.toString("latin1", 0, 4096))?.[1];
  if (script !== undefined) return script;
  const is64BitLittleEndian = start.length >= 64 && start.toString("latin1", 0, 6) === "\x7fELF\x02\x01";
  if (!is64BitLittleEndian) return undefined;
  const [offset, size, count] = [Number(start.readBigUInt64LE(32)), start.readUInt16LE(54), start.readUInt16LE(56)];
  for (let index = 0; index < count && size >= 56 && offset + (index + 1) * size <= start.length; index += 1) {
    const header = start.subarray(offset + index * size, offset + (index + 1) * size);
    if (header.readUInt32LE(0) !== 3) continue;
    const [at, length] = [Number(header.readBigUInt64LE(8)), Number(header.readBigUInt64LE(32))];
    if (length < 2 || length > 4096 || at + length > start.length) return undefined;
    return start.toString("utf8", at, at + length).split("\0")[0];
  }
  return undefined;
}
