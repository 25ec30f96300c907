import { once } from "node:events";
import type { Readable } from "node:stream";
import { startOwned, ToolError } from "./exec.js";

const maxErrorBytes = 2000;

/**
 * Runs a command to its end and takes its output as it comes, for output that is too large to be held. It ends with this process, when the
 * signal is aborted, or when the output is not wanted any more.
 * @param options.name what it is called in errors; default: its first word.
 * @throws {ToolError} when it does not end with 0.
 */
export async function streamTool(
  command: readonly [string, ...string[]],
  options: {
    readonly signal: AbortSignal;
    readonly name?: string;
    readonly take: (data: Buffer) => void | Promise<void>;
  },
): Promise<void> {
  const { signal, take, name = command[0] } = options;
  signal.throwIfAborted();
  const child = startOwned(command, { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => {
    stderr = `${stderr}${data.toString("latin1")}`.slice(-maxErrorBytes);
  });
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  ended.catch(() => undefined);
  const onAbort = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const data of child.stdout as Readable) await take(data as Buffer);
  } catch (error) {
    child.kill("SIGTERM");
    await ended;
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  const [code, by] = await ended;
  signal.throwIfAborted();
  if (code === 0) return;
  const why = by === null ? `failed with exit code ${code ?? 0}` : `was ended by ${by}`;
  throw new ToolError({
    tool: name,
    argv: command.slice(1),
    exitCode: code ?? undefined,
    stderr,
    why,
    cause: undefined,
  });
}
