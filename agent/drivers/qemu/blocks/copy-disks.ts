import type { FileHandle } from "node:fs/promises";
import { layerNode } from "../hardware/disk-nodes.js";
import { type BlockEngine, giveFile, newName, slowCommandMs } from "./block-engine.js";
import { endJobs, followJobs } from "./block-jobs.js";

/** A copy of a disk into an empty file of the same size. */
export interface DiskCopy {
  /** Name of the disk's node. */
  readonly node: string;
  readonly format: "qcow2" | "raw";
  readonly target: FileHandle;
  /** All of it; what differs from its image, over which the target stands; or what was written since the bitmap was begun. */
  readonly sync: "full" | "top" | "bitmap";
  /** Name of the bitmap of what was written; it stays as it is. */
  readonly bitmap?: string;
}

/** How disks are copied. */
export interface CopyDisksOptions {
  /** Resource name for errors. */
  readonly resource: string;
  readonly signal: AbortSignal;
  /** Told how much is done, 0 to 1. */
  readonly onProgress: (done: number) => void;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
  /** More that is done at the very instant the copies show. */
  readonly actions?: readonly object[];
  /** Runs the instant: the guest may have to hold still for it. */
  readonly atOnce: (begin: () => Promise<void>) => Promise<boolean>;
  /** Looks now and then whether to go on. @throws {ZorError} when not. */
  readonly guard?: () => Promise<void>;
}

/** Copies disks as they all are at one instant. Resolves to whether file systems were whole then. On error nothing goes on. */
export async function copyDisks(
  engine: BlockEngine,
  copies: readonly DiskCopy[],
  options: CopyDisksOptions,
): Promise<boolean> {
  await using cleanup = new AsyncDisposableStack();
  const jobs: string[] = [];
  const actions: object[] = [...(options.actions ?? [])];
  for (const { node: disk, format, target, sync, bitmap } of copies) {
    const file = await giveFile(engine, target);
    cleanup.defer(() => file.take().catch(() => undefined));
    const node = newName("copy");
    await engine.execute("blockdev-add", {
      driver: format,
      "node-name": node,
      discard: "unmap",
      file: { driver: "file", filename: file.filename },
      // Over its image, so that what the guest has set to zero does not show what the image has there.
      ...(format === "raw" ? {} : { backing: sync === "top" ? layerNode(disk, 1) : null }),
    });
    cleanup.defer(async () => {
      await engine.execute("blockdev-del", { "node-name": node }, slowCommandMs).catch(() => undefined);
    });
    const job = newName("job");
    jobs.push(job);
    const limit = options.bytesPerSecond === 0 ? {} : { speed: options.bytesPerSecond };
    const known = bitmap === undefined ? {} : { bitmap, "bitmap-mode": "never" };
    const data = {
      "job-id": job,
      device: disk,
      target: node,
      sync,
      "auto-dismiss": false,
      ...limit,
      ...known,
    };
    actions.push({ type: "blockdev-backup", data });
  }
  cleanup.defer(async () => {
    await endJobs(engine, jobs).catch(() => undefined);
  });
  const consistent = await options.atOnce(async () => {
    await engine.execute("transaction", { actions }, slowCommandMs);
  });
  await followJobs(engine, jobs, options);
  for (const { target } of copies) await target.sync();
  options.signal.throwIfAborted();
  return consistent;
}

/** For disks that nobody writes to. */
export async function atRest(begin: () => Promise<void>): Promise<boolean> {
  await begin();
  return true;
}
