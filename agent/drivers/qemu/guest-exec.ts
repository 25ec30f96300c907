import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition, invalidArgument, resourceExhausted, ZorError } from "../../../lib/errors.js";
import type { ExecCommand, ExecOutput } from "../driver.js";
import type { GuestAgent } from "./guest-agent.js";
import { asObject, type JsonObject, numberOf, textOf } from "./json.js";

const callTimeoutMs = 10_000;
/** The agent takes standard input with the command, as one text. */
const maxStdinBytes = 1024 * 1024;
/** Most of each output that is passed on; the agent itself keeps 16 MiB. */
const maxOutputBytes = 4 * 1024 * 1024;
const pollMs = { first: 10, longest: 250 } as const;
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs a command inside a guest through its agent (guest-exec, guest-exec-status). The agent knows no terminal, and gives output only
 * when the command has ended. Aborting kills the command.
 * @throws {ZorError} INVALID_ARGUMENT, RESOURCE_EXHAUSTED for too much standard input, FAILED_PRECONDITION when the guest refuses.
 */
export async function* guestExec(
  agent: GuestAgent,
  command: ExecCommand,
  options: { readonly signal: AbortSignal; readonly resource: string },
): AsyncGenerator<ExecOutput> {
  const { signal, resource } = options;
  const [path, ...args] = command.command;
  if (path === undefined || path === "") throw invalidArgument("command", "is empty");
  if (command.tty) {
    throw failedPrecondition(
      "NO_TERMINAL",
      resource,
      `${resource}: a machine's commands have no terminal; use its console`,
    );
  }
  const input = command.stdin === undefined ? undefined : await readAll(command.stdin, resource);
  const pid = await startCommand(agent, { path, args, environment: command.environment, input }, resource);
  const status = await waitForEnd(agent, pid, signal);
  const stdout = decode(textOf(status, "out-data"));
  const stderr = decode(textOf(status, "err-data"));
  if (stdout.data.length > 0) yield { type: "stdout", data: stdout.data };
  if (stderr.data.length > 0) yield { type: "stderr", data: stderr.data };
  yield {
    type: "exit",
    code: numberOf(status, "exitcode") ?? 0,
    signal: numberOf(status, "signal") ?? 0,
    truncated: stdout.cut || stderr.cut || status["out-truncated"] === true || status["err-truncated"] === true,
  };
}

interface GuestCommand {
  readonly path: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly input: Buffer | undefined;
}

async function startCommand(agent: GuestAgent, command: GuestCommand, resource: string): Promise<number> {
  const environment = Object.entries(command.environment).map(([name, value]) => `${name}=${value}`);
  const request: JsonObject = {
    path: command.path,
    arg: command.args,
    "capture-output": true,
    // An environment replaces the agent's own, and with it the search path.
    ...(environment.length === 0 ? {} : { env: [`PATH=${defaultPath}`, ...environment] }),
    ...(command.input === undefined ? {} : { "input-data": command.input.toString("base64") }),
  };
  const pid = numberOf(asObject(await agent.execute("guest-exec", request, callTimeoutMs)), "pid");
  if (pid !== undefined) return pid;
  throw failedPrecondition("GUEST_AGENT_REFUSED", resource, `${resource}: the guest agent did not start the command`);
}

async function waitForEnd(agent: GuestAgent, pid: number, signal: AbortSignal): Promise<JsonObject> {
  let waitMs: number = pollMs.first;
  for (;;) {
    const status = asObject(await agent.execute("guest-exec-status", { pid }, callTimeoutMs));
    if (status?.["exited"] === true) return status;
    try {
      await delay(waitMs, undefined, { signal });
    } catch (aborted) {
      await killCommand(agent, pid);
      throw aborted;
    }
    waitMs = Math.min(waitMs * 2, pollMs.longest);
  }
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

function decode(base64: string): { readonly data: Buffer; readonly cut: boolean } {
  const data = Buffer.from(base64, "base64");
  return { data: data.subarray(0, maxOutputBytes), cut: data.length > maxOutputBytes };
}
