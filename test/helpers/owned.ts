import {
  type ChildProcess,
  type ChildProcessByStdio,
  type ChildProcessWithoutNullStreams,
  type SpawnOptions,
  type SpawnOptionsWithStdioTuple,
  type StdioNull,
  type StdioPipe,
  spawn,
} from "node:child_process";
import type { Readable } from "node:stream";
import { execa } from "execa";
import { boundCommand, ownedEnvironment } from "../../lib/owned-process.js";

type Out = SpawnOptionsWithStdioTuple<StdioNull, StdioPipe, StdioNull>;
type OutAndError = SpawnOptionsWithStdioTuple<StdioNull, StdioPipe, StdioPipe>;
type All = SpawnOptionsWithStdioTuple<StdioPipe, StdioPipe, StdioPipe>;

/**
 * Starts a program that ends with the test's process, however that ends: the way in which tests start what is not run to its end by
 * `run` of agent/host/exec.ts. The pid is the program's own. What the program starts is its own affair.
 */
export function spawnOwned(file: string, argv: readonly string[], options: All): ChildProcessWithoutNullStreams;
export function spawnOwned(
  file: string,
  argv: readonly string[],
  options: OutAndError,
): ChildProcessByStdio<null, Readable, Readable>;
export function spawnOwned(
  file: string,
  argv: readonly string[],
  options: Out,
): ChildProcessByStdio<null, Readable, null>;
export function spawnOwned(file: string, argv: readonly string[], options: SpawnOptions): ChildProcess;
export function spawnOwned(file: string, argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [command, args] = boundCommand(file, argv);
  return spawn(command, args, { ...options, env: { ...(options.env ?? process.env), ...ownedEnvironment } });
}

/** How a program that was run to its end came out. */
export interface OwnedResult {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end without input; like {@link spawnOwned} it ends with the test's process at the latest. */
export async function runOwned(
  file: string,
  argv: readonly string[],
  {
    env = {},
    timeoutMs = 60_000,
  }: { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
): Promise<OwnedResult> {
  const { exitCode, stdout, stderr } = await execa(...boundCommand(file, argv), {
    reject: false,
    stdin: "ignore",
    env: { ...env, ...ownedEnvironment },
    timeout: timeoutMs,
  });
  return { exitCode, stdout, stderr };
}
