import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants as fsConstants, type Stats, write } from "node:fs";
import { open, rm, stat, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition } from "../../../lib/errors.js";
import { readIfExists } from "../../../lib/files.js";
import { wardenEnd } from "../../../lib/owned-process.js";
import { startOwned } from "../../host/exec.js";
import type { ExecCommand, ExecOutput } from "../driver.js";
import { endSessionOf, pidInside } from "../containers/exec-processes.js";
import { type OciIdentity, type Privileges, toOciProcess } from "./oci-config.js";
import type { OciRuntime } from "./oci-runtime.js";

/** Where and how to run a command. */
export interface ExecSessionOptions {
  readonly runtime: OciRuntime;
  readonly containerId: string;
  /** For the files of the session. */
  readonly directory: string;
  readonly command: ExecCommand;
  readonly privileges: Privileges;
  /** Whose the command is, where it begins, and what its environment is before its own. */
  readonly identity: OciIdentity & { readonly environment: Readonly<Record<string, string>> };
  readonly resizes: AsyncIterable<{ columns: number; rows: number }> | undefined;
  readonly signal: AbortSignal;
}

/** Chunks of output held for a slow consumer before the command is made to wait. */
const maxHeldChunks = 32;
/** Output of the command may still be on its way when it has exited; a child it left behind may hold the pipe for ever. */
const drainMs = 300;
/** A command whose input is no terminal has none to resize: when it has run for so long it is left alone. */
const [resizeLimitMs, resizeRetryMs] = [1000, 20];
/** How long the runtime may take until it tells the command's pid. */
const [startLimitMs, pidPollMs] = [5000, 10];
const endOfTransmission = Uint8Array.of(4);

/**
 * Runs a command inside a container. Ends with its exit code; when aborted or no longer consumed it ends the command with everything
 * the command began, except what left its session with setsid(2). What a command that ended by itself left running stays.
 */
export async function* execInContainer(options: ExecSessionOptions): AsyncGenerator<ExecOutput> {
  const { command, signal } = options;
  signal.throwIfAborted();
  const base = join(options.directory, `exec-${randomBytes(6).toString("hex")}`);
  const [specFile, pidFile] = [`${base}.json`, `${base}.pid`];
  await using leftovers = new AsyncDisposableStack();
  // Before the first is written: on a full disk there is an empty one.
  leftovers.defer(async () => await removeFiles([specFile, pidFile]));
  await writeFile(specFile, JSON.stringify(toSpec(options)), { mode: 0o600, flag: "wx" });
  const argv = options.runtime.command(["exec", `--process=${specFile}`, `--pid-file=${pidFile}`, options.containerId]);
  const queue = new AsyncQueue<ExecOutput>(4096);
  await using session = command.tty ? await startWithTerminal(argv, options, pidFile) : startWithPipes(argv, command);
  let killed: Promise<void> | undefined;
  const kill = () => {
    killed ??= killCommand(pidFile, session.child, options.containerId);
  };
  signal.addEventListener("abort", kill, { once: true });
  // It may have been given up while it was being started.
  if (signal.aborted) kill();
  try {
    collect(session, queue);
    if (command.stdin !== undefined) void feed(command.stdin, session).catch(() => undefined);
    for await (const output of queue) {
      yield output;
      if (queue.size < maxHeldChunks / 2) for (const { stream } of session.outputs) stream.resume();
    }
  } finally {
    signal.removeEventListener("abort", kill);
    if (!hasExited(session.child)) kill();
    await killed;
  }
}

/** A running command with its streams. */
interface Session extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly outputs: readonly { readonly type: "stdout" | "stderr"; readonly stream: Readable }[];
  write(data: Uint8Array): Promise<void>;
  endInput(): Promise<void>;
}

function toSpec({
  command,
  privileges,
  identity,
}: Pick<ExecSessionOptions, "command" | "privileges" | "identity">): object {
  const { tty: terminal } = command;
  const environment = { ...identity.environment, ...command.environment };
  const process = toOciProcess({ ...privileges, ...identity, command: command.command, environment, terminal });
  return command.tty && command.rows > 0 && command.columns > 0
    ? { ...process, consoleSize: { height: command.rows, width: command.columns } }
    : process;
}

/**
 * Starts a command that goes on without us, and resolves to its pid inside the container.
 * @throws {ZorError} FAILED_PRECONDITION with the runtime's words when it refuses.
 */
export async function execDetachedInContainer(
  options: Omit<ExecSessionOptions, "resizes" | "command"> & {
    readonly resource: string;
    readonly command: Pick<ExecCommand, "command" | "environment" | "directory">;
  },
): Promise<number> {
  const { runtime, containerId, resource, signal } = options;
  const base = join(options.directory, `detached-${randomBytes(6).toString("hex")}`);
  const [specFile, pidFile, logFile] = [`${base}.json`, `${base}.pid`, `${base}.log`];
  const command = { ...options.command, tty: false, columns: 0, rows: 0, stdin: undefined };
  try {
    await writeFile(specFile, JSON.stringify(toSpec({ ...options, command })), { mode: 0o600, flag: "wx" });
    // What it said on a pipe that nobody reads would end the command: the runtime's own words go to a file.
    const argv = [
      `--log=${logFile}`,
      "exec",
      "--detach",
      `--process=${specFile}`,
      `--pid-file=${pidFile}`,
      containerId,
    ];
    const child = startOwned(runtime.command(argv), { stdio: ["ignore", "ignore", "ignore"], sessions: 0 });
    const end = (): void => void child.kill(wardenEnd);
    signal.addEventListener("abort", end, { once: true });
    const [code] = await once(child, "exit");
    signal.removeEventListener("abort", end);
    if (code === 0) return await pidInside(await readPid(pidFile));
    const said = ((await readIfExists(logFile)) ?? "").trim().slice(-500);
    throw failedPrecondition("NOT_STARTED", resource, `${resource}: the runtime refuses the command: ${said}`);
  } finally {
    await removeFiles([specFile, pidFile, logFile]);
  }
}

async function removeFiles(files: readonly string[]): Promise<void> {
  await Promise.all(files.map((file) => rm(file, { force: true })));
}

function startWithPipes(argv: readonly [string, ...string[]], command: ExecCommand): Session {
  const input = command.stdin === undefined ? "ignore" : "pipe";
  const child = startOwned(argv, { stdio: [input, "pipe", "pipe"], sessions: 1 });
  const outputs = [
    { type: "stdout", stream: child.stdout },
    { type: "stderr", stream: child.stderr },
  ] as const;
  const { stdin } = child;
  stdin?.on("error", () => undefined); // The command need not read its input.
  return {
    child,
    outputs: outputs.flatMap(({ type, stream }) => (stream === null ? [] : [{ type, stream }])),
    write: async (data) => {
      if (stdin !== null && !stdin.write(data)) await drained(stdin);
    },
    endInput: async () => void stdin?.end(),
    [Symbol.asyncDispose]: async () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      stdin?.destroy();
    },
  };
}

/**
 * The runtime copies between a terminal of ours and the one inside. It should make the one inside as large as ours when that
 * changes, but crun 1.8 does not: so both are told.
 */
async function startWithTerminal(
  argv: readonly [string, ...string[]],
  options: ExecSessionOptions,
  pidFile: string,
): Promise<Session> {
  // Loaded on first use: the agent stays small as long as nobody opens a terminal.
  const { openPty, resizePty } = await import("./native.js");
  const { master, slave } = openPty();
  const { columns, rows } = options.command;
  if (columns > 0 && rows > 0) resizePty(master, columns, rows);
  // One session of the terminal here, one of the terminal inside.
  const child = startOwned(["setsid", "--ctty", ...argv], { stdio: [slave, slave, slave], sessions: 2 });
  closeSync(slave);
  const stream = new ReadStream(master);
  const closing = new AbortController();
  if (options.resizes !== undefined) {
    void follow(options.resizes, async (size) => {
      if (closing.signal.aborted) return;
      resizePty(master, size.columns, size.rows);
      await resizeInside(pidFile, (fd) => resizePty(fd, size.columns, size.rows), closing.signal);
    });
  }
  const send = async (data: Uint8Array) => {
    for (let rest = data; rest.length > 0 && !closing.signal.aborted; ) {
      const written = await writeSome(master, rest);
      if (written === 0) await delay(5, undefined, { signal: closing.signal }).catch(() => undefined);
      rest = rest.subarray(written);
    }
  };
  return {
    child,
    outputs: [{ type: "stdout", stream }],
    write: send,
    endInput: () => send(endOfTransmission),
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      stream.destroy();
    },
  };
}

/** Resizes the terminal that is the command's standard input. The command may still be being started. */
async function resizeInside(pidFile: string, resize: (fd: number) => void, signal: AbortSignal): Promise<void> {
  let deadline: number | undefined;
  while (!signal.aborted && performance.now() < (deadline ?? Number.POSITIVE_INFINITY)) {
    const pid = await readPid(pidFile);
    if (pid > 0) {
      if (await tryResizeInside(pid, resize).catch(() => false)) return;
      // A busy host's runtime tells the pid long after the command has begun: the time counts from then.
      deadline ??= performance.now() + resizeLimitMs;
    }
    await pause(resizeRetryMs, signal);
  }
}

async function tryResizeInside(pid: number, resize: (fd: number) => void): Promise<boolean> {
  const path = `/proc/${pid}/fd/0`;
  // The command chooses what its input is: nothing but a pseudo-terminal's slave is opened, and that without waiting.
  if (!isPtySlave(await stat(path))) return false;
  const file = await open(path, fsConstants.O_RDONLY | fsConstants.O_NOCTTY | fsConstants.O_NONBLOCK);
  try {
    if (!isPtySlave(await file.stat())) return false;
    resize(file.fd);
    return true;
  } finally {
    await file.close();
  }
}

/** Majors 136 to 143 of Linux's device list. */
function isPtySlave(found: Stats): boolean {
  const major = (found.rdev >> 8) & 0xfff;
  return found.isCharacterDevice() && major >= 136 && major <= 143;
}

/** Puts output and the exit code into the queue, in that order. */
function collect(session: Session, queue: AsyncQueue<ExecOutput>): void {
  const open = new Set(session.outputs.map(({ stream }) => stream));
  const allClosed = Promise.withResolvers<void>();
  for (const { type, stream } of session.outputs) {
    stream.on("data", (data: Buffer) => {
      queue.push({ type, data });
      if (queue.size >= maxHeldChunks) for (const each of session.outputs) each.stream.pause();
    });
    // Reading a terminal whose other side is closed fails with EIO: that is its end.
    stream.on("error", () => stream.destroy());
    stream.on("close", () => {
      open.delete(stream);
      if (open.size === 0) allClosed.resolve();
    });
  }
  session.child.on("error", (error) => queue.fail(error));
  session.child.on("exit", (code, signalName) => {
    const exit = toExit(code, signalName);
    const end = () => {
      queue.push(exit);
      queue.end();
    };
    // Held-back output comes before the exit code, however slow the consumer is.
    const drain = async () => {
      await Promise.race([allClosed.promise, delay(drainMs)]);
      while (open.size > 0 && [...open].some((stream) => stream.isPaused())) await delay(drainMs);
      end();
    };
    void drain();
  });
}

/** The runtime itself exits with 128 + n when the command was ended by signal n, as a shell does. */
function toExit(code: number | null, signalName: NodeJS.Signals | null): ExecOutput {
  const status = code ?? 128 + (signalName === null ? 0 : constants.signals[signalName]);
  const isSignal = status > 128 && status <= 128 + 31;
  return { type: "exit", code: status, signal: isSignal ? status - 128 : 0, truncated: false };
}

async function feed(input: AsyncIterable<Uint8Array>, session: Session): Promise<void> {
  for await (const data of input) await session.write(data);
  await session.endInput();
}

async function follow<T>(values: AsyncIterable<T>, use: (value: T) => Promise<void>): Promise<void> {
  try {
    for await (const value of values) await use(value);
  } catch {
    // The stream of sizes breaks when the client goes; the command's end is told elsewhere.
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once("drain", resolve);
    stream.once("close", resolve);
  });
}

/** Writes to a descriptor that does not block; 0 when it is full or closed. */
function writeSome(fd: number, data: Uint8Array): Promise<number> {
  return new Promise((resolve) => {
    write(fd, data, (error, written) => resolve(error === null ? written : 0));
  });
}

/** Ends the command inside with its session, and the runtime that waits for it. Leaves alone what a command that has ended left. */
async function killCommand(pidFile: string, child: ChildProcess, containerId: string): Promise<void> {
  const pid = await waitForPid(pidFile, child);
  if (hasExited(child)) return;
  if (pid > 0) await endSessionOf(pid, `/${containerId}`);
  child.kill(wardenEnd);
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** What the runtime has told so far; 0: nothing. */
async function readPid(pidFile: string): Promise<number> {
  return Number((await readIfExists(pidFile)) ?? "0") || 0;
}

/** Pid of the command inside. A runtime that is killed before it has told that pid leaves the command behind. */
async function waitForPid(pidFile: string, child: ChildProcess): Promise<number> {
  const deadline = performance.now() + startLimitMs;
  for (;;) {
    const pid = await readPid(pidFile);
    if (pid > 0 || hasExited(child) || performance.now() > deadline) return pid;
    await delay(pidPollMs);
  }
}
