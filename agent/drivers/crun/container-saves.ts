import { mkdir, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failedPrecondition, invalidArgument, resourceExhausted } from "../../../lib/errors.js";
import { syncDirectory } from "../../../lib/files.js";
import type { BackedUp } from "../abilities/backups.js";
import type { CopyOptions, Savable, SaveRequest } from "../abilities/copies.js";
import type { DriverInstance, RecoveryHandle } from "../driver-instance.js";
import { assertPersistent, assertRoom, type ContainerAccess, copyChanges, whileAsleep } from "./container-copies.js";
import { openRootfsImage } from "./rootfs.js";
import { saveRoot, savingDirectory } from "./save-root.js";
import { optionsOf } from "./subject.js";

/** The file of a backup. */
const backupFile = "root.tar";
/** Completes "a full one was taken: …". */
const whyFull = "what a container has written since is not tracked";

/** Images of containers: archives as `docker save` makes them, of one layer, with what their image says of how it is run. */
export function containerSaves(access: ContainerAccess): Savable {
  const check: Savable["checkSave"] = async (instance, handle, wanted) => {
    refuseParts(instance, wanted);
    await assertOnDisk(access, instance, handle);
    await assertRoom(access, instance);
  };
  return {
    checkSave: check,
    saveImage: async (instance, handle, wanted, options) => {
      await check(instance, handle, wanted);
      await save(access, { instance, handle }, wanted.path, options);
      await syncDirectory(dirname(wanted.path));
      return { consistent: true };
    },
  };
}

/** Backups of containers: each is all of one, and needs no image. */
export function containerBackups(access: ContainerAccess): BackedUp {
  const check: BackedUp["checkBackup"] = async (instance) => {
    assertPersistent(instance, "so there is nothing to back up");
    await assertRoom(access, instance);
  };
  return {
    checkBackup: check,
    takeBackup: async (instance, handle, { directory, base }, options) => {
      await check(instance);
      await save(access, { instance, handle }, join(directory, backupFile), options);
      await syncDirectory(directory);
      return { consistent: true, whyFull: base === undefined ? "" : whyFull };
    },
    restoreBackup: async (instance, { layers }, options) => {
      const file = layers.at(-1)?.get(backupFile);
      if (file === undefined) {
        const { name } = instance;
        throw failedPrecondition("BACKUP_INCOMPLETE", name, `${name}: the backup holds no ${backupFile}`);
      }
      const image = { path: backupFile, type: "file" as const, file, [Symbol.asyncDispose]: async () => undefined };
      await (await access.host.rootfs(instance)).create(image, options);
    },
  };
}

/** Removes what a save that was cut short has left. Idempotent. */
export async function removeHalfSaved(instance: DriverInstance): Promise<void> {
  await rm(savingDirectory(instance), { recursive: true, force: true });
}

/** Copies what it has written while it holds still, and archives it with what is below while it goes on. */
async function save(
  access: ContainerAccess,
  { instance, handle }: { readonly instance: DriverInstance; readonly handle: RecoveryHandle | undefined },
  path: string,
  options: CopyOptions,
): Promise<void> {
  const { signal, progress } = options;
  const { host, quota, saving } = access;
  saving.add(instance.uid);
  try {
    await removeHalfSaved(instance);
    const copied = join(savingDirectory(instance), "copied");
    await mkdir(savingDirectory(instance), { mode: 0o700 });
    progress("copying what it has written", 5);
    await whileAsleep(access, instance, handle, () => copyChanges(instance.directory, copied, signal));
    const spec = optionsOf(instance.spec);
    await using image = await openRootfsImage(host.imageDirectories, spec);
    const rootfs = await host.rootfs(instance);
    const saved = {
      root: await rootfs.merged(image, copied),
      config: await rootfs.config(),
      range: spec.userNamespace ? await host.ranges.take(instance.uid, instance.directory) : undefined,
      path,
      assertRoom: async (bytes: number) => {
        const why = (spare: number) =>
          `its archive takes up to ${bytes} bytes, and the host's disk has ${spare} to give`;
        await quota.assertSpare(instance.name, bytes, why);
        // Backups may be on another file system.
        const { bavail, bsize } = await statfs(dirname(path));
        if (bytes <= bavail * bsize) return;
        const text = `${instance.name}: its archive takes up to ${bytes} bytes, and its place has ${bavail * bsize} free; free some space there`;
        throw resourceExhausted("DISK_FULL", text, instance.name);
      },
    };
    await saveRoot(instance, saved, options);
  } finally {
    await removeHalfSaved(instance);
    saving.delete(instance.uid);
  }
}

function refuseParts({ name }: DriverInstance, { disk, overlay }: SaveRequest): void {
  if (disk !== 0) throw invalidArgument("disk", `${name} is a container, which has no disk ${disk}; leave it out`);
  if (overlay) throw invalidArgument("overlay", `${name} is a container, which is saved as a whole; leave overlay out`);
}

async function assertOnDisk(
  { host }: ContainerAccess,
  instance: DriverInstance,
  handle: RecoveryHandle | undefined,
): Promise<void> {
  if (handle === undefined || (await host.rootfs(instance)).keepsOnDisk) return;
  throw failedPrecondition(
    "NO_LOOP_DEVICES",
    instance.name,
    `${instance.name}: the host has no loop devices, so what it writes is in memory and cannot be saved; load the kernel module loop and start it again`,
  );
}
