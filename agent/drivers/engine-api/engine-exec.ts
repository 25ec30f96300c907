import type { Duplex } from "node:stream";
import { z } from "zod";
import { pause } from "../../../lib/backoff.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { endSessionOf, pidInside } from "../containers/exec-processes.js";
import type { ExecCommand, ExecOutput } from "../driver.js";
import type { EngineClient } from "./engine-client.js";
import { detachKeys, resizeTerminal, writeAll } from "./engine-console.js";
import { FrameDecoder } from "./stream-frames.js";

/** Where and how to run a command. */
export interface EngineExecOptions {
  readonly client: EngineClient;
  /** Id of the container. */
  readonly container: string;
  readonly command: ExecCommand;
  readonly resizes: AsyncIterable<{ columns: number; rows: number }> | undefined;
  readonly signal: AbortSignal;
}

const createdSchema = z.object({ Id: z.string().regex(/^[0-9a-f]{1,128}$/) });
const execSchema = z.object({
  Running: z.boolean().default(false),
  ExitCode: z.number().int().nullish(),
  Pid: z.number().int().min(0).default(0),
});
/** How long an engine may take to see that a command has ended whose output has. */
const [exitLimitMs, exitPollMs] = [5000, 25];
/** A command may end, and leave others behind that hold its output: then its end is found by looking. */
const lookMs = 500;

/**
 * Runs a command in a container. Ends with its exit code; when aborted or no longer consumed it ends the command with everything the
 * command began, except what left its session.
 */
export async function* execInEngine(options: EngineExecOptions): AsyncGenerator<ExecOutput> {
  const { client, container, command, signal } = options;
  const exec = await create(options);
  const body = { Detach: false, Tty: command.tty };
  const socket = await client.hijack({ method: "POST", path: `/exec/${exec}/start`, body, signal });
  socket.on("error", () => socket.destroy());
  const running = new AbortController();
  let hasEnded = false;
  try {
    // What is typed finds the terminal as large as it is to be.
    const sized = command.tty ? resizeFirst(options, exec).catch(() => undefined) : undefined;
    if (command.tty) void sized?.then(() => follow(options, exec, running.signal)).catch(() => undefined);
    if (command.stdin === undefined) socket.end();
    else void feed(command.stdin, { socket, tty: command.tty, begin: sized }).catch(() => undefined);
    const close = (): void => void socket.destroy();
    signal.addEventListener("abort", close, { once: true });
    void endWithCommand(client, exec, { socket, signal: running.signal }).catch(() => undefined);
    const frames = command.tty ? undefined : new FrameDecoder();
    try {
      for await (const chunk of socket) {
        if (frames === undefined) yield { type: "stdout", data: Buffer.from(chunk) };
        else for (const frame of frames.push(chunk)) yield frame;
      }
    } catch {
      // A connection that breaks says no more than one that ends: the exit code is asked for.
    } finally {
      signal.removeEventListener("abort", close);
    }
    signal.throwIfAborted();
    const code = await waitForExit(client, exec, signal);
    hasEnded = true;
    yield { type: "exit", code, signal: code > 128 && code <= 128 + 31 ? code - 128 : 0, truncated: false };
  } finally {
    running.abort();
    socket.destroy();
    if (!hasEnded) await endCommand(client, exec, container);
  }
}

/** Starts a command that goes on without us; resolves to its pid inside the container, 0 when it has ended already. */
export async function execDetachedInEngine({
  client,
  container,
  command,
  signal,
}: Pick<EngineExecOptions, "client" | "container" | "signal"> & {
  readonly command: Pick<ExecCommand, "command" | "environment" | "user" | "directory">;
}): Promise<number> {
  const alone = { ...command, tty: false, columns: 0, rows: 0, stdin: undefined };
  const exec = await create({ client, container, command: alone, signal });
  await client.call({ method: "POST", path: `/exec/${exec}/start`, body: { Detach: true, Tty: false }, signal });
  return pidInside((await look(client, exec, signal)).Pid);
}

async function create({ client, container, command, signal }: Omit<EngineExecOptions, "resizes">): Promise<string> {
  const { tty, columns, rows, user = "", directory = "" } = command;
  const body = {
    AttachStdin: command.stdin !== undefined,
    AttachStdout: true,
    AttachStderr: true,
    Tty: tty,
    Cmd: command.command,
    ...(user === "" ? {} : { User: user }),
    ...(directory === "" ? {} : { WorkingDir: directory }),
    Env: Object.entries({ ...(tty ? { TERM: "xterm-256color" } : {}), ...command.environment }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    DetachKeys: detachKeys,
    ...(tty && columns > 0 && rows > 0 ? { ConsoleSize: [rows, columns] } : {}),
  };
  const request = { method: "POST", path: `/containers/${container}/exec`, body, signal } as const;
  return (await client.json(request, createdSchema)).Id;
}

/** Makes the terminal as large as it is to be at first: not every engine does so by itself, and all resize only what has begun. */
async function resizeFirst({ client, command, signal }: EngineExecOptions, exec: string): Promise<void> {
  const { columns, rows } = command;
  if (columns > 0 && rows > 0) await resizeCommand(client, exec, { columns, rows, signal });
}

/** Keeps the terminal as large as it is wanted. */
async function follow({ client, resizes }: EngineExecOptions, exec: string, signal: AbortSignal): Promise<void> {
  if (resizes === undefined) return;
  for await (const { columns, rows } of resizes) {
    if (signal.aborted) return;
    await resizeCommand(client, exec, { columns, rows, signal });
  }
}

async function resizeCommand(
  client: EngineClient,
  exec: string,
  size: { readonly columns: number; readonly rows: number; readonly signal: AbortSignal },
): Promise<void> {
  const { Pid: pid } = await look(client, exec, size.signal);
  await resizeTerminal(client, `/exec/${exec}`, { pid, ...size });
}

async function feed(
  input: AsyncIterable<Uint8Array>,
  { socket, tty, begin }: { readonly socket: Duplex; readonly tty: boolean; readonly begin: Promise<void> | undefined },
): Promise<void> {
  await begin;
  for await (const data of input) await writeAll(socket, data);
  endInput(socket, tty);
}

/** Ends the input: that of a terminal by the character that says so. */
function endInput(socket: Duplex, tty: boolean): void {
  if (!tty) socket.end();
  else if (!socket.destroyed) socket.write(Uint8Array.of(4));
}

/** What a command left behind may hold its output open for ever: when the command itself has ended, its output is over soon. */
async function endWithCommand(
  client: EngineClient,
  exec: string,
  { socket, signal }: { readonly socket: Duplex; readonly signal: AbortSignal },
): Promise<void> {
  for (let waitMs = lookMs; !signal.aborted; waitMs = Math.min(waitMs * 2, 8 * lookMs)) {
    await pause(waitMs, signal);
    if (signal.aborted) return;
    const { Running: runs, ExitCode: code } = await look(client, exec, signal);
    if (runs || code === null || code === undefined) continue;
    await pause(lookMs, signal);
    // A consumer that is slow still has what is on its way.
    while (socket.readableLength > 0 && !signal.aborted) await pause(lookMs, signal);
    socket.destroy();
    return;
  }
}

async function waitForExit(client: EngineClient, exec: string, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + exitLimitMs;
  for (;;) {
    const { Running: runs, ExitCode: code } = await look(client, exec, signal);
    if (!runs && code !== null && code !== undefined) return code;
    if (performance.now() > deadline) throw new Error(`${client.product} does not tell how the command ended`);
    await pause(exitPollMs, signal);
  }
}

function look(client: EngineClient, exec: string, signal: AbortSignal) {
  return client.json({ method: "GET", path: `/exec/${exec}/json`, signal }, execSchema);
}

/** Ends a command nobody waits for any more. Engines have no call for that; they tell its pid. */
async function endCommand(client: EngineClient, exec: string, container: string): Promise<void> {
  const found = await look(client, exec, uninterrupted).catch(() => undefined);
  if (found?.Running === true && found.Pid > 0) await endSessionOf(found.Pid, container);
}
