import { failedPrecondition } from "../../../lib/errors.js";
import type { GuestAgent } from "./guest-agent.js";
import { asObject, type JsonObject, numberOf, textOf } from "./json.js";
import { Pace } from "./pace.js";

/** How long an answer of the guest agent may take. */
export const callTimeoutMs = 10_000;
const signalBase = 128;

/** How a process in a guest ended, and what the agent kept of its output. */
export interface GuestExit {
  /** 128 + n when it was ended by signal n. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** The agent dropped what came after the first 16 MiB. */
  readonly truncated: boolean;
}

/** What to run. */
export interface GuestCommand {
  readonly path: string;
  readonly args: readonly string[];
  /** "NAME=value"; replaces the agent's own environment. */
  readonly environment?: readonly string[];
  readonly input?: Buffer | undefined;
  /** Have the agent keep the output. */
  readonly capture: boolean;
}

/** Starts a process through the guest agent; resolves to its pid there. @throws {ZorError} FAILED_PRECONDITION with the guest's words. */
export async function startInGuest(agent: GuestAgent, command: GuestCommand, resource: string): Promise<number> {
  const { path, args, environment = [], input, capture } = command;
  const request: JsonObject = {
    path,
    arg: args,
    "capture-output": capture,
    ...(environment.length === 0 ? {} : { env: environment }),
    ...(input === undefined ? {} : { "input-data": input.toString("base64") }),
  };
  const pid = numberOf(asObject(await agent.execute("guest-exec", request, callTimeoutMs)), "pid");
  if (pid !== undefined) return pid;
  throw failedPrecondition("GUEST_AGENT_REFUSED", resource, `${resource}: the guest agent did not start the command`);
}

/** How a process ended; undefined while it runs. The agent forgets a process that it has told to have ended. */
export async function findGuestExit(agent: GuestAgent, pid: number): Promise<GuestExit | undefined> {
  const status = asObject(await agent.execute("guest-exec-status", { pid }, callTimeoutMs));
  if (status?.["exited"] !== true) return undefined;
  const signal = numberOf(status, "signal");
  return {
    code: signal === undefined ? (numberOf(status, "exitcode") ?? 0) : signalBase + signal,
    stdout: Buffer.from(textOf(status, "out-data"), "base64"),
    stderr: Buffer.from(textOf(status, "err-data"), "base64"),
    truncated: status["out-truncated"] === true || status["err-truncated"] === true,
  };
}

/** Waits until a process has ended. `isOver` is asked now and then: true ends the waiting without an answer. */
export async function waitForGuestExit(
  agent: GuestAgent,
  pid: number,
  options: { readonly signal: AbortSignal; readonly isOver?: () => Promise<boolean>; readonly pace?: Pace },
): Promise<GuestExit | undefined> {
  const { signal, pace = new Pace() } = options;
  for (const turn = pace.turn(); ; ) {
    const exit = await findGuestExit(agent, pid);
    if (exit !== undefined) return exit;
    if (turn.isSlow && (await options.isOver?.()) === true) return await findGuestExit(agent, pid);
    await turn.wait(signal);
  }
}

/** Reads an exit code as a shell gives it. */
export function toExit(code: number): { readonly code: number; readonly signal: number } {
  return { code, signal: code > signalBase && code <= signalBase + 31 ? code - signalBase : 0 };
}
