import { type BlockEngine, newName, slowCommandMs } from "./block-engine.js";
import { endJobs, type FollowOptions, followJobs } from "./block-jobs.js";

/** How a volume is copied. */
export interface CopyVolumeOptions extends FollowOptions {
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

/** Copies all of a node that nobody writes to into another one, which is not smaller. On error nothing goes on. @throws {ZorError} */
export async function copyNode(
  engine: BlockEngine,
  { from, to }: { readonly from: string; readonly to: string },
  options: CopyVolumeOptions,
): Promise<void> {
  const job = newName("job");
  const limit = options.bytesPerSecond === 0 ? {} : { speed: options.bytesPerSecond };
  await engine.execute(
    "blockdev-backup",
    { "job-id": job, device: from, target: to, sync: "full", "auto-dismiss": false, ...limit },
    slowCommandMs,
  );
  try {
    await followJobs(engine, [job], options);
  } catch (error) {
    await endJobs(engine, [job]).catch(() => undefined);
    throw error;
  }
}

/** Overwrites all of a node with zeroes, by unmapping where its storage can. @throws {ZorError} */
export async function overwriteWithZeroes(
  engine: BlockEngine,
  node: string,
  options: FollowOptions & { readonly sizeBytes: bigint },
): Promise<void> {
  const zeroes = newName("zeroes");
  const { sizeBytes, ...follow } = options;
  await engine.execute("blockdev-add", {
    driver: "null-co",
    "node-name": zeroes,
    size: Number(sizeBytes),
    "read-zeroes": true,
  });
  try {
    await copyNode(engine, { from: zeroes, to: node }, { ...follow, bytesPerSecond: 0 });
  } finally {
    await engine.execute("blockdev-del", { "node-name": zeroes }, slowCommandMs).catch(() => undefined);
  }
}
