/** Processors that machines have. */
export type Architecture = "x86_64" | "aarch64";

/** The programs that are machines, by the machine's processor, and the packages that they are in. */
export const qemuPrograms = {
  x86_64: { tool: "qemu-system-x86_64", debianPackage: "qemu-system-x86" },
  aarch64: { tool: "qemu-system-aarch64", debianPackage: "qemu-system-arm" },
} as const;

export const qemuProgram = qemuPrograms.x86_64.tool;

/** Whether a word of a command line is a program that is a machine. */
export function isQemuProgram(word: string): boolean {
  return Object.values(qemuPrograms).some(({ tool }) => tool === word);
}

/** The host's own processor, where machines can have it. */
export function hostArchitecture(): Architecture {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}
