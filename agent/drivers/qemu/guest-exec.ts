import { failedPrecondition, invalidArgument, resourceExhausted, ZorError } from "../../../lib/errors.js";
import type { ExecCommand, ExecOutput } from "../driver.js";
import type { GuestAgent } from "./guest-agent.js";
import { callTimeoutMs, type GuestExit, startInGuest, toExit, waitForGuestExit } from "./guest-process.js";
import { CannotStreamError, type GuestStreamOptions, guestStream } from "./guest-stream.js";

/** The agent takes standard input with the command, as one text. */
const maxStdinBytes = 1024 * 1024;
/** Output is passed on in pieces of this size. */
const chunkBytes = 256 * 1024;
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs a command inside a guest through its agent (guest-exec, guest-exec-status), which knows no terminal. Where the guest has a shell,
 * output is read while the command runs, however long it is; elsewhere the agent keeps the first 16 MiB until the command has ended.
 * Aborting kills the command, with its process group where the guest can give it one.
 * @throws {ZorError} INVALID_ARGUMENT, RESOURCE_EXHAUSTED for too much standard input, FAILED_PRECONDITION when the guest refuses.
 */
export async function* guestExec(
  agent: GuestAgent,
  command: ExecCommand,
  { signal, resource }: { readonly signal: AbortSignal; readonly resource: string },
): AsyncGenerator<ExecOutput> {
  const [path] = command.command;
  if (path === undefined || path === "") throw invalidArgument("command", "is empty");
  if (command.tty) {
    throw failedPrecondition(
      "NO_TERMINAL",
      resource,
      `${resource}: a machine's commands have no terminal; use its console`,
    );
  }
  const input = command.stdin === undefined ? undefined : await readAll(command.stdin, resource);
  const variables = Object.entries(command.environment).map(([name, value]) => `${name}=${value}`);
  // An environment replaces the agent's own, and with it the search path.
  const environment = variables.length === 0 ? [] : [`PATH=${defaultPath}`, ...variables];
  const options: GuestStreamOptions = { command: command.command, environment, input, resource, signal };
  try {
    yield* guestStream(agent, options);
  } catch (error) {
    if (!(error instanceof CannotStreamError)) throw error;
    yield* runToItsEnd(agent, options);
  }
}

/** Runs a command that gives its output when it has ended. */
async function* runToItsEnd(agent: GuestAgent, options: GuestStreamOptions): AsyncGenerator<ExecOutput> {
  const { environment, input, resource, signal } = options;
  const [path = "", ...args] = options.command;
  const pid = await startInGuest(agent, { path, args, environment, input, capture: true }, resource);
  let exit: GuestExit | undefined;
  try {
    exit = await waitForGuestExit(agent, pid, { signal });
  } finally {
    if (exit === undefined) await killCommand(agent, pid);
  }
  if (exit === undefined) return;
  for (const type of ["stdout", "stderr"] as const) {
    for (let at = 0; at < exit[type].length; at += chunkBytes) {
      yield { type, data: exit[type].subarray(at, at + chunkBytes) };
    }
  }
  yield { type: "exit", ...toExit(exit.code), truncated: exit.truncated };
}

/** As well as it goes: the guest may have no kill, or no longer answer. */
async function killCommand(agent: GuestAgent, pid: number): Promise<void> {
  try {
    await agent.execute("guest-exec", { path: "kill", arg: ["-KILL", `${pid}`] }, callTimeoutMs);
  } catch (error) {
    if (!(error instanceof ZorError)) throw error;
  }
}

async function readAll(stdin: AsyncIterable<Uint8Array>, resource: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += chunk.length;
    if (bytes > maxStdinBytes) {
      throw resourceExhausted(
        "STDIN_TOO_LONG",
        `${resource}: a machine's command takes at most ${maxStdinBytes} bytes of input`,
        resource,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
