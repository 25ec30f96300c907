import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Backoff } from "../../../../lib/backoff.js";
import { unavailable } from "../../../../lib/errors.js";
import { startOwned } from "../../../host/exec.js";
import type { DriverInstance } from "../../driver.js";
import { type DisksOptions, type InstanceDisk, isKept, openPersistentDisk } from "../disks.js";
import { layerNode } from "../hardware/disk-nodes.js";
import { diskNumber } from "../ids.js";
import { qemuOptionsOf } from "../options.js";
import { toUserId } from "../privileges.js";
import { qemuProgram } from "../program.js";
import { QmpClient } from "../qmp-client.js";
import { connectUnix } from "../../../host/unix-socket.js";
import { type BlockEngine, diskNode, giveFile } from "./block-engine.js";

const socketName = "qmp";
const startTimeoutMs = 20_000;

/** Disks of a stopped machine, open. */
export interface OpenDisks extends BlockEngine, AsyncDisposable {
  /** Numbers of the persistent disks; their nodes are {@link diskNode}. */
  readonly disks: readonly number[];
}

/**
 * Opens the persistent disks of a stopped machine in a QEMU without a machine, which may read nothing of the host but what it is given
 * and ends with this process. A machine that runs has its disks locked: then this fails.
 * @throws {ZorError} when an image is not as it should be, or the disks are in use.
 */
export async function openStoppedDisks(instance: DriverInstance, options: DisksOptions): Promise<OpenDisks> {
  await using undo = new AsyncDisposableStack();
  const opened: { readonly number: number; readonly disk: InstanceDisk }[] = [];
  for (const [index, disk] of qemuOptionsOf(instance.spec).disks.entries()) {
    if (!isKept(disk)) continue;
    opened.push({ number: diskNumber(disk, index), disk: undo.use(await openPersistentDisk(disk, index, options)) });
  }
  const qmp = await startDiskProcess(instance, undo, options.signal);
  for (const { number, disk } of opened) await addDisk(qmp, number, disk);
  const kept = undo.move();
  return {
    disks: opened.map(({ number }) => number),
    execute: (...given) => qmp.execute(...given),
    executeWith: (...given) => qmp.executeWith(...given),
    [Symbol.asyncDispose]: async () => {
      // What is to be kept of the disks (tables, bitmaps) is written when they are closed.
      await qmp.execute("quit", {}, startTimeoutMs).catch(() => undefined);
      await kept.disposeAsync();
    },
  };
}

/** Has a program open one file as its standard input, as a user that may do nothing else. Resolves to what it said when it failed. */
export async function runConfined(
  command: readonly [string, ...string[]],
  options: { readonly user: number; readonly input: number },
): Promise<string | undefined> {
  const child = startOwned(confined(command, options.user), { stdio: [options.input, "ignore", "pipe"] });
  const said: Buffer[] = [];
  child.stderr?.on("data", (chunk: Buffer) => void (said.length < 64 && said.push(chunk)));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("close", (code) => resolve(code ?? 1));
  return (await promise) === 0 ? undefined : Buffer.concat(said).toString("utf8").trim().slice(-500);
}

async function startDiskProcess(
  instance: DriverInstance,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<QmpClient> {
  const user = toUserId(instance.uid);
  const directory = join(instance.directory, "disk-process");
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  await chown(directory, user, user);
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  // Only the agent may walk to the directory; QEMU makes its socket where it stands.
  const enter = ["sh", "-c", 'cd -- "$1" && shift && exec "$@"', "sh", directory] as const;
  const child = startOwned([...enter, ...confined(diskArguments, user)], { stdio: ["ignore", "ignore", "pipe"] });
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
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]);
  const backoff = new Backoff({ minMs: 10, maxMs: 100 });
  for (;;) {
    const socket = await connectUnix(directory, socketName, { signal: deadline }).catch(() => undefined);
    if (socket !== undefined) {
      const qmp = await QmpClient.open(socket, { resource: instance.name, onEvent: () => undefined });
      undo.defer(() => qmp.close());
      return qmp;
    }
    signal.throwIfAborted();
    if (deadline.aborted || child.exitCode !== null || child.signalCode !== null) {
      throw unavailable(
        "DISK_PROCESS_FAILED",
        instance.name,
        `${instance.name}: its disks could not be opened: ${said.trim() || "QEMU does not answer"}`,
      );
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

function confined(command: readonly string[], user: number): readonly [string, ...string[]] {
  const drop = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--clear-groups"];
  return ["setpriv", "--reuid", `${user}`, "--regid", `${user}`, ...drop, "--", ...command];
}

/** One node a layer, the lowest first. */
async function addDisk(engine: BlockEngine, number: number, { layers }: InstanceDisk): Promise<void> {
  const nodeName = (level: number) => layerNode(diskNode(number), level);
  for (const [level, { file, format }] of [...layers.entries()].reverse()) {
    const { filename } = await giveFile(engine, file);
    const readOnly = level > 0;
    const backing = level + 1 < layers.length ? nodeName(level + 1) : null;
    await engine.execute("blockdev-add", {
      driver: format,
      "node-name": nodeName(level),
      "read-only": readOnly,
      file: { driver: "file", filename, "read-only": readOnly },
      ...(format === "raw" ? {} : { backing }),
    });
  }
}
