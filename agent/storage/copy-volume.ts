import type { OpenVolume, VolumeContent } from "../drivers/abilities/volumes.js";
import { addImage } from "../drivers/qemu/blocks/image-node.js";
import { slowCommandMs } from "../drivers/qemu/blocks/block-engine.js";
import { copyNode } from "../drivers/qemu/blocks/copy-volume.js";
import { addVolume, nodeBytes } from "../drivers/qemu/blocks/volume-node.js";
import type { ImageChain } from "../drivers/qemu/image-chain.js";
import { type BlockWorkOptions, workWithBlocks } from "./block-work.js";

/** How volumes that nothing runs on are worked with. */
export type VolumeWork = Pick<BlockWorkOptions, "state" | "resource"> & { readonly signal: AbortSignal };

/** How one is copied. */
export interface CopyOptions extends VolumeWork {
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
  readonly progress: (step: string, percent: number) => void;
}

/** Size of a volume in bytes, as a guest sees it, in a QEMU that may do nothing else. */
export function volumeBytes(volume: VolumeContent, work: VolumeWork): Promise<bigint> {
  const { resource } = work;
  return workWithBlocks({ ...work, network: isRemote(volume) }, async (engine) => {
    await addVolume(engine, volume, { resource, nodeName: "it", readOnly: true });
    return await nodeBytes(engine, "it");
  });
}

/** Copies all of a volume, in a QEMU that may do nothing else; durable when it resolves. @throws {ZorError} */
export async function copyVolume(from: VolumeContent, to: OpenVolume, options: CopyOptions): Promise<void> {
  const { resource, signal, bytesPerSecond, progress } = options;
  const network = isRemote(from) || isRemote(to);
  await workWithBlocks({ ...options, network }, async (engine) => {
    const source = await addVolume(engine, from, { resource, nodeName: "from", readOnly: true });
    const sizeBytes = await nodeBytes(engine, "from");
    // What is larger below is not larger to the copy; a qcow2 was made to measure.
    const more = to.kind === "device" ? { size: Number(sizeBytes) } : {};
    const target = await addVolume(engine, to, { resource, nodeName: "to", more });
    const onProgress = (done: number): void => progress("copying", 10 + 80 * done);
    await copyNode(engine, { from: "from", to: "to" }, { resource, signal, bytesPerSecond, onProgress });
    await target.remove();
    await source.remove();
  });
  if (to.kind !== "remote") await to.file.sync();
}

/** Copies the content of an image to the beginning of an empty volume, in a QEMU that may do nothing else; durable when it resolves. @throws {ZorError} */
export async function copyImage(image: ImageChain, to: OpenVolume, options: CopyOptions): Promise<void> {
  const { resource, signal, bytesPerSecond, progress } = options;
  await workWithBlocks({ ...options, network: isRemote(to) }, async (engine) => {
    await addImage(engine, image, "from");
    const target = await addVolume(engine, to, { resource, nodeName: "to" });
    // What is copied to is to be just as large.
    const part = {
      driver: "raw",
      "node-name": "part",
      file: "to",
      size: Number(image.virtualSizeBytes),
      discard: "unmap",
      // Zeroes that an image has written out take no room.
      "detect-zeroes": "unmap",
    };
    await engine.execute("blockdev-add", part, slowCommandMs);
    const onProgress = (done: number): void => progress("copying the image", 10 + 80 * done);
    await copyNode(engine, { from: "from", to: "part" }, { resource, signal, bytesPerSecond, onProgress });
    await engine.execute("blockdev-del", { "node-name": "part" }, slowCommandMs);
    await target.remove();
  });
  if (to.kind !== "remote") await to.file.sync();
}

function isRemote({ kind }: VolumeContent): boolean {
  return kind === "remote";
}
