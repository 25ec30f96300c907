import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { failedPrecondition } from "../../lib/errors.js";
import { boundCommand, wardedCommand } from "../../lib/owned-process.js";

/** How a program is run. */
interface RunOptions {
  readonly remedy: string;
  readonly signal?: AbortSignal | undefined;
  /** More variables than this program has. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/**
 * Runs a program that has the terminal, and ends with zor; resolves to its exit code.
 * @throws {ZorError} FAILED_PRECONDITION when it is not there; `remedy` follows in the message.
 */
export async function runProgram(
  [program = "", ...argv]: readonly string[],
  stdio: ("inherit" | "ignore")[],
  { remedy, signal, environment }: RunOptions,
): Promise<number> {
  const child = spawn(...boundCommand(program, argv), { stdio, env: { ...process.env, ...environment } });
  return await ended(child, program, { remedy, signal });
}

/**
 * Runs a program behind, without input, and tells what it says on its output and errors; it and all that it started end with zor or by the
 * signal. Resolves to its exit code. @throws {ZorError} FAILED_PRECONDITION when it is not there.
 */
export async function runBehind(
  [program = "", ...argv]: readonly string[],
  onText: (text: string) => void,
  { remedy, signal, environment }: RunOptions,
): Promise<number> {
  const child = spawn(...wardedCommand(program, argv), {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", onText);
  return await ended(child, program, { remedy, signal });
}

/** A program that is spoken with in lines. */
export interface SpokenProgram {
  /** Sends it a line. */
  say(line: string): void;
  /** Its exit code. @throws {ZorError} FAILED_PRECONDITION when it is not there. */
  readonly ended: Promise<number>;
}

/** Runs a program behind that is spoken with in lines, and ends with zor or by the signal. */
export function runSpoken(
  [program = "", ...argv]: readonly string[],
  told: { readonly onLine: (line: string) => void; readonly onSaid: (line: string) => void },
  { remedy, signal, environment }: RunOptions,
): SpokenProgram {
  const child = spawn(...boundCommand(program, argv), {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  // Whoever is gone is not told anything.
  child.stdin.on("error", () => undefined);
  createInterface({ input: child.stdout }).on("line", told.onLine);
  createInterface({ input: child.stderr }).on("line", told.onSaid);
  return { say: (line) => void child.stdin.write(`${line}\n`), ended: ended(child, program, { remedy, signal }) };
}

async function ended(child: ChildProcess, program: string, { remedy, signal }: RunOptions): Promise<number> {
  const end = (): void => void child.kill();
  signal?.addEventListener("abort", end, { once: true });
  try {
    const [code, killedBy] = await once(child, "close");
    if (code === 127) throw failedPrecondition("NO_PROGRAM", "", `${program} is not on this machine; ${remedy}`);
    return typeof code === "number" ? code : killedBy === null ? 1 : 255;
  } finally {
    signal?.removeEventListener("abort", end);
  }
}
