import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Backoff } from "../../../../lib/backoff.js";
import { unavailable } from "../../../../lib/errors.js";
import { timeLimit } from "../../../../lib/time-limit.js";
import { startOwned } from "../../../host/exec.js";
import { connectUnix } from "../../../host/unix-socket.js";
import { qemuProgram } from "../program.js";
import { QmpClient } from "../qmp-client.js";
import type { BlockEngine } from "./block-engine.js";

/** A QEMU without a machine, which works with disks alone. Disposing of it has it write out what is to be kept, and ends it. */
export type BlockProcess = BlockEngine & AsyncDisposable;

/** How one is started. */
export interface BlockProcessOptions {
  /** Resource name for errors. */
  readonly resource: string;
  /** Directory of the agent's in which it may have one. */
  readonly directory: string;
  /** The unprivileged user that it runs as. */
  readonly user: number;
  readonly signal: AbortSignal;
  /** It may reach servers; default: it has a net namespace of its own, with nothing in it. */
  readonly network?: boolean;
}

const socketName = "qmp";
const startTimeoutMs = 20_000;

/**
 * Starts a QEMU without a machine, which may read nothing of the host but what it is given and ends with this process.
 * @throws {ZorError} UNAVAILABLE when it does not start.
 */
export async function startBlockProcess(options: BlockProcessOptions): Promise<BlockProcess> {
  const { resource, user, signal } = options;
  await using undo = new AsyncDisposableStack();
  const directory = blockProcessDirectory(options);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  await chown(directory, user, user);
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  const walled = options.network === true ? [] : ["unshare", "--net", "--"];
  const command = inDirectory(directory, [...walled, ...toConfined(diskArguments, user)]);
  const child = startOwned(command, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString("utf8")).slice(-500);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  undo.defer(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const deadline = AbortSignal.any([signal, timeLimit(startTimeoutMs)]);
  const backoff = new Backoff({ minMs: 10, maxMs: 100 });
  for (;;) {
    const socket = await connectUnix(directory, socketName, { signal: deadline }).catch(() => undefined);
    if (socket !== undefined) {
      const qmp = await QmpClient.open(socket, { resource, onEvent: () => undefined });
      undo.defer(() => qmp.close());
      const kept = undo.move();
      return {
        execute: (...given) => qmp.execute(...given),
        executeWith: (...given) => qmp.executeWith(...given),
        [Symbol.asyncDispose]: async () => {
          // What is to be kept of the disks (tables, bitmaps) is written when they are closed.
          await qmp.execute("quit", {}, startTimeoutMs).catch(() => undefined);
          await kept.disposeAsync();
        },
      };
    }
    signal.throwIfAborted();
    if (deadline.aborted || child.exitCode !== null || child.signalCode !== null) {
      const why = said.trim() || "QEMU does not answer";
      throw unavailable("DISK_PROCESS_FAILED", resource, `${resource}: its disks could not be opened: ${why}`);
    }
    await backoff.wait(deadline);
  }
}

const diskArguments = [
  qemuProgram,
  ...["-M", "none", "-nodefaults", "-no-user-config", "-display", "none"],
  ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
  ...["-chardev", `socket,id=qmp,path=${socketName},server=on,wait=off`, "-mon", "chardev=qmp,mode=control"],
] as const;

/** Directory that the QEMU of an instance stands in: what it makes a socket of is there. */
export function blockProcessDirectory({ directory }: Pick<BlockProcessOptions, "directory">): string {
  return join(directory, "disk-process");
}

/** A command that stands where only the agent may walk to, and makes its sockets there; pure. */
export function inDirectory(directory: string, command: readonly string[]): readonly [string, ...string[]] {
  return ["sh", "-c", 'cd -- "$1" && shift && exec "$@"', "sh", directory, ...command];
}

/** A command as a user that may do nothing else; pure. */
export function toConfined(command: readonly string[], user: number): readonly [string, ...string[]] {
  const drop = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--clear-groups"];
  return ["setpriv", "--reuid", `${user}`, "--regid", `${user}`, ...drop, "--", ...command];
}
