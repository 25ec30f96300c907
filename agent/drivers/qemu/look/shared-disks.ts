import { once } from "node:events";
import { open, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Backoff } from "../../../../lib/backoff.js";
import { failedPrecondition, invalidArgument, unavailable } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { timeLimit } from "../../../../lib/time-limit.js";
import { listed } from "../../../../lib/words.js";
import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import { startOwned } from "../../../host/exec.js";
import { openExactly } from "../../../host/open-exactly.js";
import type { FilesRequest } from "../../abilities/files.js";
import type { DriverInstance, RecoveryHandle } from "../../driver-instance.js";
import type { BlockEngine } from "../blocks/block-engine.js";
import { diskNode } from "../blocks/block-engine.js";
import { blockProcessDirectory, inDirectory, toConfined } from "../blocks/block-process.js";
import { type HeldDisk, holdDisks, type OpenDisks } from "../blocks/disk-process.js";
import type { MachineAccess } from "../blocks/machine-copies.js";
import { deleteFromRunning, deleteFromStopped, snapshotAll } from "../blocks/machine-snapshots.js";
import {
  type DisksOptions,
  isRaw,
  isVolume,
  openBases,
  openDiskImage,
  openPersistentDisk,
  ownFileOf,
} from "../disks.js";
import { diskName, diskNumber } from "../ids.js";
import { qemuOptionsOf } from "../options.js";
import { toUserId } from "../privileges.js";

/** The state of a machine that runs which is looked at; there is never more than one. */
export const lookTag = "zor-look";
const startTimeoutMs = 20_000;
const socketName = "nbd";

/** A disk as it is looked at: a server of the protocol NBD on a unix socket. */
export interface LookedAt {
  /** Name of the disk, and of the server's export. */
  readonly name: string;
  /** Path of the socket. */
  readonly socket: string;
}

/** Disks that can be looked at until this is disposed of. */
export interface SharedDisks extends AsyncDisposable {
  readonly disks: readonly LookedAt[];
}

type Layer = HeldDisk["layers"][number];

interface Wanted {
  readonly disk: Disk;
  readonly index: number;
}

type Request = Pick<FilesRequest, "disk" | "writable" | "signal"> & { readonly handle: RecoveryHandle | undefined };

/**
 * Has disks of a machine be looked at: of one that does not run as they are, of one that runs as they are at this instant.
 * @throws {ZorError} when there is none, or one cannot be.
 */
export async function shareDisks(
  access: MachineAccess,
  instance: DriverInstance,
  request: Request,
): Promise<SharedDisks> {
  const wanted = wantedDisks(instance, request.disk);
  const options = access.disksOptions(instance, request);
  return request.handle === undefined
    ? await shareStopped(instance, wanted, { ...options, writable: request.writable })
    : await shareRunning(access, instance, wanted, options);
}

function wantedDisks(instance: DriverInstance, name: string): readonly Wanted[] {
  const all = [...qemuOptionsOf(instance.spec).disks.entries()].map(([index, disk]) => ({ index, disk }));
  if (name === "") return all.filter(({ disk }) => !isVolume(disk));
  const found = all.filter(({ disk, index }) => diskName(disk, index) === name);
  if (found.some(({ disk }) => isVolume(disk))) {
    const message = `${quote(name)} of ${instance.name} is a volume, and those cannot be looked into`;
    throw invalidArgument("place.disk", message);
  }
  if (found.length > 0) return found;
  const names = all.map(({ disk, index }) => diskName(disk, index));
  const has = names.length === 0 ? "it has none" : `it has ${listed(names, 8)}`;
  throw invalidArgument("place.disk", `${instance.name} has no disk ${quote(name)}; ${has}`);
}

async function shareStopped(
  instance: DriverInstance,
  wanted: readonly Wanted[],
  options: DisksOptions & { readonly writable: boolean },
): Promise<SharedDisks> {
  await using undo = new AsyncDisposableStack();
  // What an agent that was killed has left.
  if (await isMarked(instance)) await forgetStopped(instance, options);
  const held: (HeldDisk & { readonly name: string })[] = [];
  for (const { disk, index } of wanted) {
    const common = { number: diskNumber(disk, index), name: diskName(disk, index) };
    if (disk.persistent) {
      const { layers, overlay } = undo.use(await openPersistentDisk(disk, index, options));
      const readOnly = !options.writable || overlay === undefined;
      if (!readOnly || overlay === undefined) {
        held.push({ ...common, layers, readOnly });
        continue;
      }
      // QEMU takes a file for reading only when it was opened for nothing else.
      const file = undo.use(await open(`/proc/self/fd/${overlay.fd}`, "r"));
      const [top, ...below] = layers;
      if (top === undefined) continue;
      held.push({ ...common, layers: [{ ...top, file }, ...below], readOnly });
      continue;
    }
    // What was on it is thrown away when the machine starts: it is what its image is.
    const chain = await openDiskImage(disk, index, options);
    if (chain === undefined) continue;
    held.push({ ...common, layers: undo.use(chain).layers, readOnly: true });
  }
  if (held.length === 0) throw nothingToSee(instance);
  if (options.writable && held.every(({ readOnly }) => readOnly)) {
    const why = "has no disk that keeps what is written to it";
    throw failedPrecondition("NO_PERSISTENT_DISK", instance.name, `${instance.name} ${why}`);
  }
  const engine = undo.use(await holdDisks(instance, held, { signal: options.signal }));
  const socket = await serve(engine, instance, held);
  const kept = undo.move();
  return {
    disks: held.map(({ name }) => ({ name, socket })),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Serves nodes of a QEMU without a machine; resolves to the socket. */
async function serve(
  engine: BlockEngine,
  instance: DriverInstance,
  nodes: readonly { readonly number: number; readonly name: string; readonly readOnly: boolean }[],
): Promise<string> {
  const addr = { type: "unix", data: { path: socketName } };
  await engine.execute("nbd-server-start", { addr, "max-connections": 0 });
  for (const { number, name, readOnly } of nodes) {
    const node = diskNode(number);
    await engine.execute("block-export-add", {
      ...{ type: "nbd", id: `export-${name}`, "node-name": node, name, writable: !readOnly },
    });
  }
  return join(blockProcessDirectory(instance), socketName);
}

/** A state is kept inside the disks, read by programs of their own, and forgotten. The machine goes on, and may even end. */
async function shareRunning(
  access: MachineAccess,
  instance: DriverInstance,
  wanted: readonly Wanted[],
  options: DisksOptions,
): Promise<SharedDisks> {
  await using undo = new AsyncDisposableStack();
  const bases: (HeldDisk & { readonly name: string })[] = [];
  const tops: (Wanted & { readonly below: readonly Layer[] })[] = [];
  for (const { disk, index } of wanted) {
    const name = diskName(disk, index);
    const isAlone = disk.image !== "" && disk.readOnly;
    if (isRaw(disk)) throw rawAndRunning(instance, name);
    const chain = disk.persistent ? await openBases(disk, index, options) : await openDiskImage(disk, index, options);
    if (chain !== undefined) undo.use(chain);
    if (!isAlone) tops.push({ disk, index, below: chain?.layers ?? [] });
    else if (chain !== undefined) {
      bases.push({ number: diskNumber(disk, index), name, layers: chain.layers, readOnly: true });
    }
  }
  if (bases.length + tops.length === 0) throw nothingToSee(instance);
  const machine = access.machineOf(instance);
  const numbers = tops.map(({ disk, index }) => diskNumber(disk, index));
  // What an agent that was killed has left.
  await deleteFromRunning(machine, lookTag);
  if (numbers.length > 0) {
    await writeFile(markerOf(instance), "", { mode: 0o600, flush: true });
    undo.defer(() => forget(access, instance, options));
    await snapshotAll(machine, numbers.map(diskNode), lookTag);
  }
  const engine: OpenDisks = undo.use(await holdDisks(instance, bases, { signal: options.signal }));
  const below = bases.length === 0 ? "" : await serve(engine, instance, bases);
  const disks: LookedAt[] = [];
  for (const { disk, index } of wanted) {
    const name = diskName(disk, index);
    const top = tops.find((each) => each.index === index);
    if (top === undefined) disks.push({ name, socket: below });
    else disks.push({ name, socket: undo.use(await serveState(instance, top, options)).socket });
  }
  const kept = undo.move();
  return { disks, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Serves the kept state of the topmost file of a disk, over what is served of its images. */
async function serveState(
  instance: DriverInstance,
  { disk, index, below }: Wanted & { readonly below: readonly Layer[] },
  options: DisksOptions,
): Promise<AsyncDisposable & { readonly socket: string }> {
  await using undo = new AsyncDisposableStack();
  const user = toUserId(instance.uid);
  const name = diskName(disk, index);
  const file = undo.use(await openExactly(ownFileOf(disk, index, options)));
  // The program opens it anew, by its descriptor, as the user of this machine.
  const { uid, gid } = await file.stat();
  await file.chown(user, user);
  undo.defer(() => file.chown(uid, gid));
  const socket = `state-${name}`;
  // Named by descriptor, the lowest first: what the headers name is not looked for. Images are everybody's to read.
  const backing = below.reduceRight<object | null>((under, { format }, at) => {
    const lower = { driver: "file", filename: `/proc/self/fd/${3 + at}`, "read-only": true };
    return { driver: format, "read-only": true, file: lower, ...(format === "raw" ? {} : { backing: under }) };
  }, null);
  const image = {
    ...{ driver: "qcow2", "read-only": true, "force-share": true, backing },
    file: { driver: "file", filename: "/proc/self/fd/0", "read-only": true, "force-share": true },
  };
  const how = ["-r", "-t", "-e", "8", "-l", `snapshot.name=${lookTag}`, "-k", `/proc/self/cwd/${socket}`, "-x", name];
  const command = toConfined(["qemu-nbd", ...how, `json:${JSON.stringify(image)}`], user);
  const directory = blockProcessDirectory(instance);
  const child = startOwned(inDirectory(directory, command), {
    stdio: [file.fd, "ignore", "pipe", ...below.map((each) => each.file.fd)],
  });
  let said = "";
  child.stderr?.on("data", (data: Buffer) => {
    said = (said + data.toString("utf8")).slice(-500);
  });
  const ended = once(child, "close").catch(() => undefined);
  undo.defer(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const path = join(directory, socket);
  const deadline = AbortSignal.any([options.signal, timeLimit(startTimeoutMs)]);
  const backoff = new Backoff({ minMs: 10, maxMs: 100 });
  while ((await stat(path).catch(() => undefined)) === undefined) {
    options.signal.throwIfAborted();
    if (deadline.aborted || child.exitCode !== null || child.signalCode !== null) {
      const why = said.trim().split("\n").at(-1) || "it does not answer";
      const message = `${instance.name}: the state of ${name} could not be opened: ${why}`;
      throw unavailable("DISK_PROCESS_FAILED", instance.name, message);
    }
    await backoff.wait(deadline);
  }
  const kept = undo.move();
  return { socket: path, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** The machine may have ended meanwhile. What stays is forgotten by the next look. */
async function forget(access: MachineAccess, instance: DriverInstance, options: DisksOptions): Promise<void> {
  try {
    await deleteFromRunning(access.machineOf(instance), lookTag);
    await rm(markerOf(instance), { force: true });
  } catch {
    await forgetStopped(instance, options).catch(() => undefined);
  }
}

async function forgetStopped(instance: DriverInstance, options: DisksOptions): Promise<void> {
  await deleteFromStopped(instance, lookTag, options);
  await rm(markerOf(instance), { force: true });
}

/** There may be a state that is looked at inside its disks. */
function markerOf({ directory }: DriverInstance): string {
  return join(directory, "look-state");
}

async function isMarked(instance: DriverInstance): Promise<boolean> {
  return await stat(markerOf(instance)).then(
    () => true,
    () => false,
  );
}

function rawAndRunning({ name }: DriverInstance, disk: string): Error {
  return failedPrecondition(
    "DISK_WITHOUT_SNAPSHOTS",
    name,
    `${name}: ${disk} is raw, of which no state can be kept while the machine runs; stop it first, or look at another disk`,
  );
}

function nothingToSee({ name }: DriverInstance): Error {
  return failedPrecondition("NO_DISK", name, `${name} has no disk with anything on it, so there is nothing to look at`);
}
