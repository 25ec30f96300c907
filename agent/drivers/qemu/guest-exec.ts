import { failedPrecondition, invalidArgument, resourceExhausted, ZorError } from "../../../lib/errors.js";
import type { ExecCommand, ExecOutput } from "../driver.js";
import type { GuestAgent } from "./guest-agent.js";
import { callTimeoutMs, type GuestExit, startInGuest, toExit, waitForGuestExit } from "./guest-process.js";
import { becomeScript, detachScript, noTerminalWords, quoteWords, terminalScript } from "./guest-scripts.js";
import { CannotStreamError, type GuestStreamOptions, guestStream } from "./guest-stream.js";

/** The agent takes standard input with the command, as one text. */
const maxStdinBytes = 1024 * 1024;
/** Output is passed on in pieces of this size. */
const chunkBytes = 256 * 1024;
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** How to run a command, besides what it is. */
export interface GuestExecOptions {
  readonly signal: AbortSignal;
  readonly resource: string;
  readonly resizes?: AsyncIterable<{ readonly columns: number; readonly rows: number }> | undefined;
}

/**
 * Runs a command inside a guest through its agent (guest-exec, guest-exec-status), which knows no terminal. Where the guest has a shell,
 * input and output are carried while the command runs, however long they are; elsewhere the agent takes the input before and keeps the
 * first 16 MiB of output until the command has ended. Aborting kills the command, with its process group where the guest can give it one.
 * @throws {ZorError} INVALID_ARGUMENT, RESOURCE_EXHAUSTED for too much standard input, FAILED_PRECONDITION when the guest refuses.
 */
export async function* guestExec(
  agent: GuestAgent,
  command: ExecCommand,
  { signal, resource, resizes }: GuestExecOptions,
): AsyncGenerator<ExecOutput> {
  const [path] = command.command;
  if (path === undefined || path === "") throw invalidArgument("command", "is empty");
  const environment = toEnvironment(command);
  const words = become(command);
  const options: GuestStreamOptions = {
    command: (id) => (command.tty ? onTerminal(id, words, command) : words),
    environment,
    input: command.stdin,
    resizes: command.tty ? resizes : undefined,
    resource,
    signal,
  };
  try {
    for await (const output of guestStream(agent, options)) {
      // All that a command on a terminal says is standard output: this was said instead of it.
      if (command.tty && output.type === "stderr" && isNoTerminal(output.data)) throw noTerminalMaker(resource);
      yield output;
    }
  } catch (error) {
    if (!(error instanceof CannotStreamError)) throw error;
    if (command.tty || words !== command.command) throw noShell(resource);
    const input = command.stdin === undefined ? undefined : await readAll(command.stdin, resource);
    // It may be no Unix at all: its own environment is best.
    const given =
      Object.keys(command.environment).length === 0 ? [] : toVariables({ PATH: defaultPath, ...command.environment });
    yield* runToItsEnd(agent, { command: command.command, environment: given, input, resource, signal });
  }
}

/** An environment replaces the agent's own, which is that of the guest's init: all that programs rely on is given. */
function toEnvironment({
  environment,
  user = "",
  tty,
}: Pick<ExecCommand, "environment" | "user" | "tty">): readonly string[] {
  const root = user === "" ? { HOME: "/root", USER: "root", LOGNAME: "root", SHELL: "/bin/sh" } : {};
  const terminal = tty ? { TERM: "xterm-256color" } : {};
  return toVariables({ PATH: defaultPath, ...terminal, ...root, ...environment });
}

function toVariables(variables: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

/** The command as its user, in its directory. */
function become({
  command,
  user = "",
  directory = "",
}: Pick<ExecCommand, "command" | "user" | "directory">): readonly string[] {
  if (user === "" && directory === "") return command;
  return ["/bin/sh", "-c", becomeScript, "zor", user, directory, quoteWords(command), ...command];
}

function onTerminal(id: string, words: readonly string[], { columns, rows }: ExecCommand): readonly string[] {
  return ["/bin/sh", "-c", terminalScript, "zor", id, String(columns), String(rows), quoteWords(words)];
}

/** Leaves a command running by itself; resolves to its pid. @throws {ZorError} FAILED_PRECONDITION when the guest refuses. */
export async function guestExecDetached(
  agent: GuestAgent,
  command: Pick<ExecCommand, "command" | "environment" | "user" | "directory">,
  { signal, resource }: GuestExecOptions,
): Promise<number> {
  const words = become(command);
  const environment = toEnvironment({ ...command, tty: false });
  const request = { path: "/bin/sh", args: ["-c", detachScript, "zor", ...words], environment, capture: true };
  const starter = await startInGuest(agent, request, resource);
  const exit = await waitForGuestExit(agent, starter, { signal });
  const pid = Number(exit?.stdout.toString("latin1").trim());
  if (exit?.code === 0 && Number.isSafeInteger(pid) && pid > 0) return pid;
  throw failedPrecondition("NOT_STARTED", resource, `${resource}: the guest did not start the command`);
}

function isNoTerminal(said: Uint8Array): boolean {
  return Buffer.from(said).includes(noTerminalWords);
}

function noTerminalMaker(resource: string): Error {
  return failedPrecondition(
    "NO_TERMINAL",
    resource,
    `${resource}: the guest has no program that makes terminals; install script there (Debian: bsdutils), leave -t out, or use zor console`,
  );
}

function noShell(resource: string): Error {
  return failedPrecondition(
    "NO_SHELL",
    resource,
    `${resource}: a terminal, a user or a working directory needs /bin/sh, dd, env and mkfifo in the guest`,
  );
}

/** A command whose output is not read while it runs. */
interface WholeCommand {
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly input: Buffer | undefined;
  readonly resource: string;
  readonly signal: AbortSignal;
}

/** Runs a command that gives its output when it has ended. */
async function* runToItsEnd(agent: GuestAgent, options: WholeCommand): AsyncGenerator<ExecOutput> {
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
        `${resource}: a command in a guest without a shell takes at most ${maxStdinBytes} bytes of input`,
        resource,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
