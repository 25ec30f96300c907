import { startOwned } from "../../../host/exec.js";
import type { DriverInstance } from "../../driver.js";
import type { VolumeContent } from "../../abilities/volumes.js";
import { type DisksOptions, type InstanceDisk, isKept, isVolume, openPersistentDisk } from "../disks.js";
import { layerNode } from "../hardware/disk-nodes.js";
import { diskNumber } from "../ids.js";
import { qemuOptionsOf } from "../options.js";
import { toUserId } from "../privileges.js";
import { type BlockEngine, diskNode, giveFile } from "./block-engine.js";
import { startBlockProcess, toConfined } from "./block-process.js";
import { assertSelfContained } from "./self-contained.js";
import { addVolume } from "./volume-node.js";

/** Disks of a stopped machine, open. */
export interface OpenDisks extends BlockEngine, AsyncDisposable {
  /** Numbers of the disks; their nodes are {@link diskNode}. */
  readonly disks: readonly number[];
}

/** Which disks of a stopped machine are opened. */
interface StoppedOptions extends DisksOptions {
  /** The volumes that it writes too; default: its own alone. */
  readonly withVolumes?: boolean;
  /** Servers are to be reached, for volumes that are opened later; default: only when one of these is on a server. */
  readonly network?: boolean;
}

/**
 * Opens the disks of a stopped machine that stay in a QEMU without a machine, which may read nothing of the host but what it is given
 * and ends with this process. A machine that runs has its disks locked: then this fails.
 * @throws {ZorError} when an image is not as it should be, or the disks are in use.
 */
export async function openStoppedDisks(instance: DriverInstance, options: StoppedOptions): Promise<OpenDisks> {
  const { volumes: access, withVolumes = false, resource } = options;
  await using undo = new AsyncDisposableStack();
  const opened: HeldDisk[] = [];
  const volumes: { readonly number: number; readonly content: VolumeContent }[] = [];
  for (const [index, disk] of qemuOptionsOf(instance.spec).disks.entries()) {
    const number = diskNumber(disk, index);
    if (withVolumes && isVolume(disk) && !disk.readOnly) {
      if (access === undefined) throw new Error(`nobody told of the volumes that ${resource} names`);
      volumes.push({ number, content: undo.use(await access.open(disk.volume, "r+")) });
    }
    if (!isKept(disk)) continue;
    const { layers } = undo.use(await openPersistentDisk(disk, index, options));
    opened.push({ number, layers, readOnly: false });
  }
  const network = options.network === true || volumes.some(({ content }) => content.kind === "remote");
  const held = undo.use(await holdDisks(instance, opened, { signal: options.signal, network }));
  for (const { number, content } of volumes) await addVolume(held, content, { resource, nodeName: diskNode(number) });
  const kept = undo.move();
  const numbers = [...held.disks, ...volumes.map(({ number }) => number)];
  return { ...held, disks: numbers, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** A disk that a QEMU without a machine holds. */
export interface HeldDisk extends Pick<InstanceDisk, "layers"> {
  readonly number: number;
  /** Nothing of it is written, and it may be open elsewhere. */
  readonly readOnly: boolean;
}

/** Has a QEMU without a machine hold disks whose files are open. @throws {ZorError} when they are in use. */
export async function holdDisks(
  { name: resource, directory, uid }: DriverInstance,
  disks: readonly HeldDisk[],
  { signal, network = false }: { readonly signal: AbortSignal; readonly network?: boolean },
): Promise<OpenDisks> {
  await using undo = new AsyncDisposableStack();
  const engine = undo.use(await startBlockProcess({ resource, directory, user: toUserId(uid), signal, network }));
  for (const disk of disks) await addDisk(engine, disk);
  await assertSelfContained(engine, resource);
  const kept = undo.move();
  return {
    disks: disks.map(({ number }) => number),
    execute: (...given) => engine.execute(...given),
    executeWith: (...given) => engine.executeWith(...given),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Has a program open one file as its standard input, as a user that may do nothing else. Resolves to what it said when it failed. */
export async function runConfined(
  command: readonly [string, ...string[]],
  options: { readonly user: number; readonly input: number },
): Promise<string | undefined> {
  const child = startOwned(toConfined(command, options.user), { stdio: [options.input, "ignore", "pipe"] });
  const said: Buffer[] = [];
  child.stderr?.on("data", (chunk: Buffer) => void (said.length < 64 && said.push(chunk)));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("close", (code) => resolve(code ?? 1));
  return (await promise) === 0 ? undefined : Buffer.concat(said).toString("utf8").trim().slice(-500);
}

/** One node a layer, the lowest first. */
async function addDisk(engine: BlockEngine, { number, layers, readOnly: isRead }: HeldDisk): Promise<void> {
  const nodeName = (level: number) => layerNode(diskNode(number), level);
  for (const [level, { file, format }] of [...layers.entries()].reverse()) {
    const { filename } = await giveFile(engine, file);
    const readOnly = isRead || level > 0;
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
