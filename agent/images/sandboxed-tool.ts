import { once } from "node:events";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { confinedCommand } from "../host/confined.js";
import { startOwned, ToolError } from "../host/exec.js";

/** A user of its own, outside what distributions and instances have (agent/drivers/qemu/privileges.ts). */
export const imageUser = 1_899_999_999;

const maxErrorBytes = 4096;

/** How a tool that reads what came from outside is run. */
export interface SandboxedTool {
  readonly tool: string;
  readonly argv: readonly string[];
  /** Open files that it has as descriptors 3, 4 and so on: it can open nothing else that is not everybody's. */
  readonly files: readonly number[];
  /** Largest file it may write, in bytes. */
  readonly maxFileBytes: number;
  readonly signal: AbortSignal;
  /** Takes its standard output. */
  readonly onOutput: (data: Buffer) => void | Promise<void>;
}

const memoryBytes = 4 * 1024 ** 3;
/** Seconds of processor time. */
const processorSeconds = 4 * 3600;

/**
 * Runs a tool as an unprivileged user without any capability, in a net namespace of its own, with bounds on memory, time and what it
 * writes. It ends with the agent. @throws {ToolError}
 */
export async function runSandboxed(options: SandboxedTool): Promise<void> {
  const { tool, argv, files, maxFileBytes, signal, onOutput } = options;
  signal.throwIfAborted();
  const bounds = { user: imageUser, maxFileBytes, memoryBytes, processorSeconds };
  const child = startOwned(confinedCommand([tool, ...argv], bounds), { stdio: ["ignore", "pipe", "pipe", ...files] });
  const onAbort = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", onAbort, { once: true });
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => {
    stderr = `${stderr}${data.toString("latin1")}`.slice(-maxErrorBytes);
  });
  try {
    const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    ended.catch(() => undefined);
    try {
      for await (const data of child.stdout as Readable) await onOutput(data as Buffer);
    } catch (error) {
      child.kill("SIGTERM");
      await ended;
      throw error;
    }
    const [code, by] = await ended;
    signal.throwIfAborted();
    if (code === 0) return;
    const why = whyFailed(code, by);
    throw new ToolError({ tool, argv, exitCode: code ?? undefined, stderr, why, cause: undefined });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function whyFailed(code: number | null, by: NodeJS.Signals | null): string {
  // A shell's way of telling a signal, which wardens have too.
  const signal = by ?? Object.entries(constants.signals).find(([, number]) => code === 128 + number)?.[0];
  if (signal === "SIGXFSZ") return "wrote more than was allowed";
  if (signal === "SIGXCPU") return "took too much processor time";
  return signal === undefined || signal === null ? `failed with exit code ${code ?? 0}` : `was ended by ${signal}`;
}
