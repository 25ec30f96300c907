/** The program that is a machine. */
export const qemuProgram = "qemu-system-x86_64";
