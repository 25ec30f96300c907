import { spawn } from "node:child_process";
import { once } from "node:events";
import { failedPrecondition } from "../../lib/errors.js";
import { boundCommand } from "../../lib/owned-process.js";

/**
 * Runs a program that has the terminal, and ends with zor; resolves to its exit code.
 * @throws {ZorError} FAILED_PRECONDITION when it is not there; `remedy` follows in the message.
 */
export async function runProgram(
  [program = "", ...argv]: readonly string[],
  stdio: ("inherit" | "ignore")[],
  { remedy, signal }: { readonly remedy: string; readonly signal?: AbortSignal },
): Promise<number> {
  const child = spawn(...boundCommand(program, argv), { stdio });
  const end = (): void => void child.kill();
  signal?.addEventListener("abort", end, { once: true });
  try {
    const [code, killedBy] = await once(child, "exit");
    if (code === 127) throw failedPrecondition("NO_PROGRAM", "", `${program} is not on this machine; ${remedy}`);
    return typeof code === "number" ? code : killedBy === null ? 1 : 255;
  } finally {
    signal?.removeEventListener("abort", end);
  }
}
