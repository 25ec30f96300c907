import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failedPrecondition } from "../../../lib/errors.js";
import { exists, syncDirectory } from "../../../lib/files.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { run } from "../../host/exec.js";
import type { Copyable } from "../abilities/copies.js";
import type { Settling } from "../abilities/settles.js";
import type { SnapshotTag, Snapshottable } from "../abilities/snapshots.js";
import type { DiskQuota } from "../disk-quota.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { CrunHost } from "./crun-host.js";
import type { OciRuntime } from "./oci-runtime.js";
import { shiftChanges } from "./shift-ids.js";
import { containerId, optionsOf } from "./subject.js";
import type { IdRange } from "./user-ranges.js";

/** What the copies of containers need of their driver. */
export interface ContainerAccess {
  readonly host: Pick<CrunHost, "imageDirectories" | "ranges" | "rootfs">;
  runtime(): Promise<{ readonly runtime: Pick<OciRuntime, "findState"> }>;
  pause(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<void>;
  resume(instance: DriverInstance, handle: RecoveryHandle, options: CallOptions): Promise<void>;
  readonly quota: DiskQuota;
  /** Uids of those that are being saved. */
  readonly saving: Set<string>;
}

/** All that a container has written is in these, below its directory; those that are not there hold nothing. */
const changes = ["layer.img", "layer", "rootfs"] as const;
const copyTimeoutMs = 3_600_000;

/** Snapshots of containers: copies of what they have written, one beside the other. */
export function containerSnapshots(driver: ContainerAccess): Snapshottable {
  const check = async (instance: DriverInstance, { memory }: SnapshotTag): Promise<void> => {
    assertPersistent(instance, "so there is nothing to go back to");
    if (memory) {
      throw failedPrecondition(
        "UNSUPPORTED",
        instance.name,
        `${instance.name} is a container, whose memory cannot be kept; take the snapshot without memory`,
      );
    }
    await assertRoom(driver, instance);
  };
  return {
    withMemory: false,
    checkSnapshot: (instance, _handle, wanted) => check(instance, wanted),
    takeSnapshot: async (instance, handle, wanted, options) => {
      await check(instance, wanted);
      options.progress("copying what it has written", 20);
      const target = keptIn(instance, wanted);
      try {
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await whileAsleep(driver, instance, handle, () => copyChanges(instance.directory, target, options.signal));
        await syncDirectory(dirname(target));
        return { sizeBytes: await sizeOf(target), consistent: true, extra: {} };
      } catch (error) {
        await rm(target, { recursive: true, force: true });
        throw error;
      }
    },
    revertTo: async (instance, handle, wanted, options) => {
      if (handle !== undefined) throw new Error("a container is taken back while it does not run");
      const source = keptIn(instance, wanted);
      if (!(await exists(source))) {
        throw failedPrecondition(
          "SNAPSHOT_LOST",
          instance.name,
          `${instance.name} could not be taken back: what was kept of it is not there any more; delete the snapshot`,
        );
      }
      const scratch = join(instance.directory, "reverted");
      await copyChanges(source, scratch, options.signal);
      await placeChanges(scratch, instance.directory);
    },
    deleteSnapshot: async (instance, _handle, wanted) => {
      await rm(keptIn(instance, wanted), { recursive: true, force: true });
    },
  };
}

/** Copies of containers. */
export function containerCopies(driver: ContainerAccess): Copyable {
  return {
    copyInto: async (instance, handle, target, options) => {
      const rootfs = await driver.host.rootfs(target);
      await rootfs.standOver(await driver.host.rootfs(instance), options.signal);
      if (!isPersistent(instance)) return { consistent: true };
      await assertRoom(driver, instance);
      options.progress("copying what it has written", 20);
      const scratch = join(target.directory, "copied");
      await whileAsleep(driver, instance, handle, () => copyChanges(instance.directory, scratch, options.signal));
      if (optionsOf(instance.spec).userNamespace) {
        options.progress("giving it to the copy's users", 60);
        const [from, to] = [await rangeOf(driver, instance), await rangeOf(driver, target)];
        await shiftChanges(scratch, { from, to }, options.signal);
      }
      await placeChanges(scratch, target.directory);
      return { consistent: true };
    },
  };
}

/** Wakes containers that an earlier agent has put to sleep for a copy. */
export function containerSettling(driver: ContainerAccess): Settling {
  return {
    settle: async (instance, handle, options) => {
      if (!(await exists(markerOf(instance)))) return [];
      if (!(await isAwake(driver, instance))) await driver.resume(instance, handle, options);
      await rm(markerOf(instance), { force: true });
      return ["its processes go on"];
    },
  };
}

/** Has the processes of a container hold still while `work` runs; that they do is on the disk before. */
export async function whileAsleep(
  driver: ContainerAccess,
  instance: DriverInstance,
  handle: RecoveryHandle | undefined,
  work: () => Promise<void>,
): Promise<void> {
  if (handle === undefined || !(await isAwake(driver, instance))) return await work();
  await writeFile(markerOf(instance), "", { mode: 0o600, flush: true });
  try {
    await driver.pause(instance, handle, { signal: uninterrupted });
    try {
      // What was written is in the file of its file system only when it has been written out.
      await run("sync", ["--file-system", `/proc/${handle.pid}/root`], { timeoutMs: copyTimeoutMs });
      await work();
    } finally {
      await driver.resume(instance, handle, { signal: uninterrupted });
    }
  } finally {
    await rm(markerOf(instance), { force: true });
  }
}

/** Copies what a container has written to a new directory, under the same names. */
export async function copyChanges(from: string, to: string, signal: AbortSignal): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { mode: 0o700 });
  for (const name of changes) {
    if (!(await exists(join(from, name)))) continue;
    // Only this file system: what is mounted there in the container's own namespace is in the file that is copied.
    const how = ["--archive", "--reflink=auto", "--sparse=always", "--one-file-system"];
    await run("cp", [...how, "--", join(from, name), join(to, name)], { signal, timeoutMs: copyTimeoutMs });
  }
}

/** Puts copies, which lie in a directory below it, in the place of what is there. */
async function placeChanges(scratch: string, to: string): Promise<void> {
  for (const name of changes) {
    await rm(join(to, name), { recursive: true, force: true });
    if (await exists(join(scratch, name))) await rename(join(scratch, name), join(to, name));
  }
  await rm(scratch, { recursive: true, force: true });
  await syncDirectory(to);
}

/** @param why completes "it forgets what it writes at each start, …". @throws {ZorError} FAILED_PRECONDITION */
export function assertPersistent(instance: DriverInstance, why: string): void {
  if (isPersistent(instance)) return;
  throw failedPrecondition(
    "NOT_PERSISTENT",
    instance.name,
    `${instance.name} forgets what it writes at each start, ${why}; create it as persistent`,
  );
}

/** Ids under which it has written what is on the disk. */
async function rangeOf({ host }: ContainerAccess, { uid, directory }: DriverInstance): Promise<IdRange> {
  return await host.ranges.take(uid, directory);
}

/** Refuses a copy of what a container has written that does not fit. @throws {ZorError} RESOURCE_EXHAUSTED */
export async function assertRoom({ quota }: ContainerAccess, instance: DriverInstance): Promise<void> {
  let needed = 0;
  for (const name of changes) {
    const path = join(instance.directory, name);
    if (await exists(path)) needed += await sizeOf(path);
  }
  const why = (spare: number) => `a copy takes ${needed} bytes, and the host's disk has ${spare} to give`;
  await quota.assertSpare(instance.name, needed, why);
}

async function sizeOf(path: string): Promise<number> {
  const { stdout } = await run("du", ["--summarize", "--one-file-system", "--block-size=1", "--", path], {
    timeoutMs: copyTimeoutMs,
  });
  return Number.parseInt(stdout, 10);
}

/** What it writes is kept over a stop. */
function isPersistent({ spec }: DriverInstance): boolean {
  return optionsOf(spec).persistent;
}

/** Its processes run, and are not frozen. */
async function isAwake(driver: ContainerAccess, instance: DriverInstance): Promise<boolean> {
  const { runtime } = await driver.runtime();
  return (await runtime.findState(containerId(instance), uninterrupted))?.status === "running";
}

function keptIn({ directory }: DriverInstance, { tag }: SnapshotTag): string {
  return join(directory, "snapshots", tag);
}

function markerOf({ directory }: DriverInstance): string {
  return join(directory, "asleep");
}
