import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OpenVolume, VolumeContent } from "../../agent/drivers/abilities/volumes.js";
import { allNodes } from "../../agent/drivers/qemu/blocks/block-engine.js";
import { addVolume } from "../../agent/drivers/qemu/blocks/volume-node.js";
import type { LiveMachine } from "../../agent/drivers/qemu/live/live-machine.js";
import { QmpClient, type QmpEvent } from "../../agent/drivers/qemu/qmp-client.js";
import { connectUnix } from "../../agent/host/unix-socket.js";
import { emptyQcow2 } from "../../agent/storage/empty-qcow2.js";
import { eventually } from "./eventually.js";
import { spawnOwned } from "./owned.js";
import { runTag } from "./run-tag.js";

export const resource = "hosts/zt/volumes/data";
export const mib = 1024 * 1024;
export const { signal } = new AbortController();

/** Volumes of 8 MiB in a directory of their own, and machines that have them; all gone when it is disposed of. */
export class CopiesRig implements AsyncDisposable {
  readonly root: string;
  readonly undo = new AsyncDisposableStack();

  private constructor(root: string) {
    this.root = root;
    this.undo.defer(() => rm(root, { recursive: true, force: true }));
  }

  static async make(): Promise<CopiesRig> {
    return new CopiesRig(await mkdtemp(join(tmpdir(), `${runTag}-c-`)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.undo.disposeAsync();
  }

  /** A file with some content, or an empty one. */
  async fileOf(
    name: string,
    format: "raw" | "qcow2",
    content?: Buffer,
  ): Promise<Extract<VolumeContent, { kind: "file" }>> {
    const path = join(this.root, name);
    await writeFile(path, format === "qcow2" ? emptyQcow2(BigInt(8 * mib)) : (content ?? Buffer.alloc(8 * mib)));
    const file = this.undo.use(await open(path, "r+"));
    return { kind: "file", file, format };
  }

  /** As it is read from. */
  async reading(name: string, format: "raw" | "qcow2" = "raw"): Promise<VolumeContent> {
    return { kind: "file", file: this.undo.use(await open(join(this.root, name))), format };
  }

  /** A machine that has begun, none of whose CPUs runs, with one volume. */
  async machineWith(volume: VolumeContent): Promise<LiveMachine> {
    const listeners = new Set<(event: QmpEvent) => void>();
    const devices = ["-device", "virtio-scsi-pci,id=scsi"];
    const argv = [
      "-S",
      "-M",
      "q35",
      "-m",
      "64",
      "-nodefaults",
      "-display",
      "none",
      "-qmp",
      "unix:qmp,server=on,wait=off",
    ];
    const child = spawnOwned("qemu-system-x86_64", [...argv, ...devices], { cwd: this.root, stdio: "ignore" });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    this.undo.defer(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    const socket = await eventually(() => connectUnix(this.root, "qmp", { signal }));
    const onEvent = (event: QmpEvent): void => {
      for (const listener of listeners) listener(event);
    };
    const qmp = await QmpClient.open(socket, { resource, onEvent });
    this.undo.defer(() => qmp.close());
    const machine: LiveMachine = {
      identity: { pid: process.pid },
      execute: (...given) => qmp.execute(...given),
      executeWith: (...given) => qmp.executeWith(...given),
      listen: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    await addVolume(machine, volume, { resource, nodeName: "disk0" });
    await machine.execute("device_add", { driver: "scsi-hd", bus: "scsi.0", id: "disk0", drive: "disk0" });
    return machine;
  }
}

export const opened = (content: VolumeContent): OpenVolume => ({
  ...content,
  ...{ name: resource, sizeBytes: BigInt(8 * mib), [Symbol.asyncDispose]: async () => undefined },
});

export const nodesOf = async (machine: LiveMachine): Promise<readonly unknown[]> =>
  (await allNodes(machine)).map((node) => node["node-name"]).filter((name) => !String(name).startsWith("#"));
