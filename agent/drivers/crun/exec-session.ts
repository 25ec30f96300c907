import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { constants as fsConstants, type Stats } from "node:fs";
import { open, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition } from "../../../lib/errors.js";
import { readIfExists } from "../../../lib/files.js";
import { wardenEnd } from "../../../lib/owned-process.js";
import { startOwned } from "../../host/exec.js";
import {
  feed,
  hasExited,
  type OwnedSession,
  outputOf,
  startOnPipes,
  startOnTerminal,
} from "../../host/owned-session.js";
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

/** A command whose input is no terminal has none to resize: when it has run for so long it is left alone. */
const [resizeLimitMs, resizeRetryMs] = [1000, 20];
/** How long the runtime may take until it tells the command's pid. */
const [startLimitMs, pidPollMs] = [5000, 10];

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
  const stdin = command.stdin !== undefined;
  await using session = command.tty
    ? await startWithTerminal(argv, options, pidFile)
    : startOnPipes(argv, { stdin, sessions: 1 });
  let killed: Promise<void> | undefined;
  const kill = () => {
    killed ??= killCommand(pidFile, session.child, options.containerId);
  };
  signal.addEventListener("abort", kill, { once: true });
  // It may have been given up while it was being started.
  if (signal.aborted) kill();
  try {
    if (command.stdin !== undefined) void feed(command.stdin, session).catch(() => undefined);
    for await (const output of outputOf(session)) {
      yield output.type === "exit" ? { ...output, truncated: false } : output;
    }
  } finally {
    signal.removeEventListener("abort", kill);
    if (!hasExited(session.child)) kill();
    await killed;
  }
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

/**
 * The runtime copies between a terminal of ours and the one inside. It should make the one inside as large as ours when that
 * changes, but crun 1.8 does not: so both are told.
 */
async function startWithTerminal(
  argv: readonly [string, ...string[]],
  options: ExecSessionOptions,
  pidFile: string,
): Promise<OwnedSession> {
  const { columns, rows } = options.command;
  const { resizePty } = await import("../../host/pty.js");
  // One session of the terminal here, one of the terminal inside.
  const session = await startOnTerminal(argv, { columns, rows, sessions: 2 });
  const closing = new AbortController();
  if (options.resizes !== undefined) {
    void follow(options.resizes, async (size) => {
      if (closing.signal.aborted) return;
      session.resize(size.columns, size.rows);
      await resizeInside(pidFile, (fd) => resizePty(fd, size.columns, size.rows), closing.signal);
    });
  }
  return {
    ...session,
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await session[Symbol.asyncDispose]();
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

async function follow<T>(values: AsyncIterable<T>, use: (value: T) => Promise<void>): Promise<void> {
  try {
    for await (const value of values) await use(value);
  } catch {
    // The stream of sizes breaks when the client goes; the command's end is told elsewhere.
  }
}

/** Ends the command inside with its session, and the runtime that waits for it. Leaves alone what a command that has ended left. */
async function killCommand(pidFile: string, child: ChildProcess, containerId: string): Promise<void> {
  const pid = await waitForPid(pidFile, child);
  if (hasExited(child)) return;
  if (pid > 0) await endSessionOf(pid, `/${containerId}`);
  child.kill(wardenEnd);
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
