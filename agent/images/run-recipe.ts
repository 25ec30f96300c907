import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { startOwned, ToolError } from "../host/exec.js";

/** A recipe that is carried out. */
export interface RecipeRun {
  /** The program: "build" of the recipe. */
  readonly program: string;
  /** Empty directory in which it leaves the file "image"; it may use the rest. */
  readonly directory: string;
  /** Largest file it may write, in bytes. */
  readonly maxFileBytes: number;
  readonly signal: AbortSignal;
  /** Told each line that it prints. */
  readonly onStep: (line: string) => void;
}

const maxErrorBytes = 4096;

/**
 * Carries out a recipe as the agent's own user, for building a tree of files needs root. In mount, ipc and uts namespaces of its own: what
 * it mounts goes with it, however it ends. @throws {ToolError}
 */
export async function runRecipe({ program, directory, maxFileBytes, signal, onStep }: RecipeRun): Promise<void> {
  signal.throwIfAborted();
  const bounds = ["prlimit", "--core=0", `--fsize=${Math.max(1, Math.floor(maxFileBytes))}`, "--"];
  const apart = ["unshare", "--mount", "--propagation", "private", "--ipc", "--uts", "--"] as const;
  const child = startOwned([...apart, ...bounds, program, directory], { stdio: ["ignore", "pipe", "pipe"] });
  const onAbort = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", onAbort, { once: true });
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => {
    stderr = `${stderr}${data.toString("utf8")}`.slice(-maxErrorBytes);
  });
  try {
    const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    // A process that cannot be started fails before its output has ended.
    ended.catch(() => undefined);
    for await (const line of createInterface({ input: child.stdout as Readable })) onStep(line.slice(0, 200));
    const [code, by] = await ended;
    signal.throwIfAborted();
    if (code === 0) return;
    const why = by === null ? `failed with exit code ${code ?? 0}` : `was ended by ${by}`;
    throw new ToolError({ tool: "the recipe", argv: [], exitCode: code ?? undefined, stderr, why, cause: undefined });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
