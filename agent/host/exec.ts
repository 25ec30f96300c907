import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { ExecaError, execa } from "execa";
import { toolEnvironment } from "../../lib/environment/tool-environment.js";
import { findStartError, type WardenOptions, wardedCommand, wardenEnd } from "../../lib/owned-process.js";
import type { ProcessExit } from "./process-exit.js";

/** A host tool failed. Keeps what an engineer needs: tool, arguments, exit code and the tail of standard error. */
export class ToolError extends Error {
  readonly tool: string;
  readonly argv: readonly string[];
  readonly exitCode: number | undefined;
  readonly stderrTail: string;
  /** It was ended because it did not end by itself. */
  readonly tookTooLong: boolean;

  /** There is no such program on the host. */
  get isMissing(): boolean {
    return this.exitCode === undefined && this.message === `${this.tool} ${notInstalled}`;
  }

  constructor(options: {
    tool: string;
    argv: readonly string[];
    exitCode: number | undefined;
    stderr: string;
    why: string;
    cause: unknown;
    tookTooLong?: boolean;
  }) {
    const tail = options.stderr.trim().slice(-2000);
    super(`${options.tool} ${options.why}${tail === "" ? "" : `: ${tail}`}`, { cause: options.cause });
    this.name = "ToolError";
    this.tool = options.tool;
    this.argv = options.argv;
    this.exitCode = options.exitCode;
    this.stderrTail = tail;
    this.tookTooLong = options.tookTooLong === true;
  }
}

const notInstalled = "is not installed";

/** How to run a tool. */
export interface RunOptions {
  /** Ends the tool, and whatever it has started, when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Longest run in milliseconds; default 20,000. Then it ends as when aborted. */
  readonly timeoutMs?: number;
  /** Text for standard input; default none. */
  readonly input?: string | Uint8Array;
  /** Named net namespace to run in. */
  readonly netns?: string | undefined;
  /** More environment than that of every tool, see {@link toolEnvironment}. LC_ALL is always C. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Exit codes that are not errors; default [0]. */
  readonly acceptedExitCodes?: readonly number[];
}

/** What a tool printed. */
export interface ToolResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const maxOutputBytes = 64 * 1024 * 1024;
/** A warden has ended everything below it within this time, or cannot. */
const wardenLimitMs = 10_000;

/**
 * Runs a host tool to its end. `argv` is passed as it is, never through a shell. The tool and all that it starts end with this process,
 * however that ends.
 * @throws {ToolError} when it cannot be run, exits otherwise than accepted, or takes too long.
 */
export async function run(tool: string, argv: readonly string[], options: RunOptions = {}): Promise<ToolResult> {
  const [file, args] = wardedCommand(...inNamespace(tool, argv, options.netns));
  const accepted = options.acceptedExitCodes ?? [0];
  try {
    const result = await execa(file, args, {
      reject: false,
      stripFinalNewline: false,
      timeout: options.timeoutMs ?? 20_000,
      killSignal: wardenEnd,
      forceKillAfterDelay: wardenLimitMs,
      maxBuffer: maxOutputBytes,
      env: toolEnvironment(process.env, options.env),
      extendEnv: false,
      ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    const missing = findStartError(result.exitCode, result.stderr ?? "");
    if (missing !== undefined) throw cannotStart(tool, argv, missing, undefined);
    if (result.exitCode !== undefined && accepted.includes(result.exitCode)) {
      return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode };
    }
    throw new ToolError({
      tool,
      argv,
      exitCode: result.exitCode,
      stderr: result.stderr ?? "",
      why: whyFailed(result),
      cause: undefined,
      tookTooLong: result.timedOut,
    });
  } catch (error) {
    if (error instanceof ToolError || !(error instanceof ExecaError)) throw error;
    // Only Perl itself can be missing here.
    if (error.code === "ENOENT") throw cannotStart("perl", [], constants.errno.ENOENT, error);
    throw new ToolError({
      tool,
      argv,
      exitCode: error.exitCode,
      stderr: String(error.stderr ?? ""),
      why: whyFailed(error),
      cause: error,
      tookTooLong: error.timedOut,
    });
  }
}

/** Runs a tool that prints JSON and parses it; an empty output is `undefined`. */
export async function runJson(tool: string, argv: readonly string[], options: RunOptions = {}): Promise<unknown> {
  const { stdout } = await run(tool, argv, options);
  return stdout.trim() === "" ? undefined : JSON.parse(stdout);
}

/** How to start a process that outlives the agent. */
export interface DaemonOptions {
  readonly netns?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** File that takes standard output and error, appended. */
  readonly logFile: string;
  /** Open descriptors that the process inherits as 3, 4 and so on; the caller closes its own. */
  readonly fds?: readonly number[];
  /** Called once when it ends while this agent, its parent, lives. */
  readonly onExit?: (exit: ProcessExit) => void;
}

/**
 * Starts a process in its own session, so that it outlives the agent, with output to a file.
 * Resolves to its pid as soon as it is spawned; with `netns` the pid is the program's own, since `ip netns exec` replaces itself.
 */
export async function startDaemon(tool: string, argv: readonly string[], options: DaemonOptions): Promise<number> {
  const [file, args] = inNamespace(tool, argv, options.netns);
  const log = openSync(options.logFile, "a", 0o600);
  // execa waits for and cleans up after its children; a daemon wants neither.
  const child = spawn(file, args, {
    detached: true,
    stdio: ["ignore", log, log, ...(options.fds ?? [])],
    env: toolEnvironment(process.env, options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  closeSync(log);
  const { onExit } = options;
  if (onExit !== undefined) {
    child.once("exit", (code, signal) =>
      onExit(
        signal === null ? { type: "code", code: code ?? 0 } : { type: "signal", signal: constants.signals[signal] },
      ),
    );
  }
  child.unref();
  const { pid } = child;
  if (pid === undefined) {
    const [cause] = (await once(child, "error")) as [NodeJS.ErrnoException];
    throw new ToolError({ tool, argv, exitCode: undefined, stderr: "", why: whyFailed({ code: cause.code }), cause });
  }
  return pid;
}

/** How to start a command that talks to its caller. */
export interface OwnedOptions extends WardenOptions {
  readonly stdio: StdioOptions;
  /** Its whole environment; default: that of every tool. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

/** Starts a command that talks to its caller through pipes or a terminal, and ends with this process. See {@link wardedCommand}. */
export function startOwned(
  command: readonly [string, ...string[]],
  { stdio, environment, cwd, ...options }: OwnedOptions,
): ChildProcess {
  const [tool, ...argv] = command;
  const [file, args] = wardedCommand(tool, argv, options);
  const env = environment ?? toolEnvironment(process.env);
  return spawn(file, args, { stdio, env: { ...env }, ...(cwd === undefined ? {} : { cwd }) });
}

function cannotStart(tool: string, argv: readonly string[], errno: number, cause: unknown): ToolError {
  const code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0];
  return new ToolError({ tool, argv, exitCode: undefined, stderr: "", why: whyFailed({ code }), cause });
}

function inNamespace(tool: string, argv: readonly string[], netns: string | undefined): [string, string[]] {
  return netns === undefined ? [tool, [...argv]] : ["ip", ["netns", "exec", netns, tool, ...argv]];
}

function whyFailed(result: {
  timedOut?: boolean;
  isCanceled?: boolean;
  exitCode?: number | undefined;
  signal?: string | undefined;
  code?: string | undefined;
}): string {
  if (result.timedOut === true) return "took too long and was ended";
  if (result.isCanceled === true) return "was cancelled";
  if (result.code === "ENOENT") return notInstalled;
  if (result.signal !== undefined) return `was ended by ${result.signal}`;
  if (result.exitCode !== undefined) return `failed with exit code ${result.exitCode}`;
  return `could not be run (${result.code ?? "unknown cause"})`;
}
