import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { LvmThinBackend } from "../../../agent/storage/backends/lvm-thin.js";
import { NfsBackend } from "../../../agent/storage/backends/nfs.js";
import { openSource } from "../../../agent/storage/open-volume.js";
import {
  type PoolBackend,
  type StoragePool,
  type StorageVolume,
  storageName,
} from "../../../agent/storage/pool-backend.js";
import { PoolSpec } from "../../../proto/gen/zor/v1/pool.js";
import { freshName, runTag } from "../../helpers/run-tag.js";

// What the kernel of a host has is nothing that a test can install: where it lacks something, pools must say so, and that is what is tested there.

const mib = 1024n * 1024n;
const volume: StorageVolume = {
  ...{ uid: "5f1c-1", name: "hosts/zt/volumes/data", sizeBytes: 16n * mib, format: "raw" },
};
let undo: AsyncDisposableStack;
let root: string;

beforeEach(async () => {
  undo = new AsyncDisposableStack();
  root = await realpath(await mkdtemp(join(tmpdir(), `${runTag}-k-`)));
  undo.defer(() => rm(root, { recursive: true, force: true }));
});
afterEach(() => undo.disposeAsync());

function needs(path: string, packageName: string): void {
  if (!existsSync(path)) throw new Error(`${path} is missing; install the package ${packageName}`);
}

/** Has the kernel load a module, where it has it. */
async function load(module: string): Promise<void> {
  await run("modprobe", [module]).catch(() => undefined);
}

function poolOf(backend: NonNullable<PoolSpec["backend"]>): StoragePool {
  return { id: "p", uid: "aa-11", name: "hosts/zt/pools/p", spec: PoolSpec.fromPartial({ backend }) };
}

/** A volume is made, written, grown, read and removed. */
async function workWithVolume(backend: PoolBackend, pool: StoragePool): Promise<void> {
  await backend.open(pool);
  await backend.open(pool);
  expect((await backend.capacity(pool)).totalBytes).toBeGreaterThan(volume.sizeBytes);
  await backend.create(pool, volume);
  const words = Buffer.from("what was written before it grew");
  const grown = { ...volume, sizeBytes: 32n * mib };
  {
    await using opened = await openSource(await backend.source(pool, volume), volume, "r+");
    if (opened.kind === "remote") throw new Error("it is not opened by the agent");
    await opened.file.write(words, 0, words.length, 1_000_000);
    await opened.file.sync();
  }
  await backend.resize(pool, volume, grown.sizeBytes);
  {
    await using opened = await openSource(await backend.source(pool, grown), grown, "r");
    if (opened.kind === "remote") throw new Error("it is not opened by the agent");
    const { buffer } = await opened.file.read(Buffer.alloc(words.length), 0, words.length, 1_000_000);
    expect(buffer).toEqual(words);
    expect((await opened.file.read(Buffer.alloc(512), 0, 512, Number(grown.sizeBytes) - 512)).bytesRead).toBe(512);
  }
  await backend.remove(pool, grown);
  await backend.remove(pool, grown);
  await expect(backend.source(pool, grown).then((source) => openSource(source, grown, "r"))).rejects.toThrow();
}

it("keeps volumes in a thin pool of LVM, or tells that the kernel has no device mapper", async () => {
  needs("/usr/sbin/lvcreate", "lvm2");
  await load("dm_thin_pool");
  const volumeGroup = freshName();
  const backend = new LvmThinBackend({ policy: [{ volumeGroup }] });
  const pool = poolOf({ $case: "lvmThin", value: { volumeGroup, thinPool: "thin" } });
  if (!existsSync("/sys/class/misc/device-mapper")) {
    await expect(backend.open(pool)).rejects.toThrow(
      "the kernel of the host has no device mapper; load it with: modprobe",
    );
    return;
  }
  {
    await using file = await open(join(root, "disk"), "wx");
    await file.truncate(Number(256n * mib));
  }
  const device = (await run("losetup", ["--find", "--show", join(root, "disk")])).stdout.trim();
  undo.defer(async () => void (await run("losetup", ["--detach", device])));
  await run("vgcreate", [volumeGroup, device]);
  undo.defer(async () => void (await run("vgremove", ["--yes", "--force", volumeGroup])));
  await run("lvcreate", ["--type", "thin-pool", "--zero", "y", "-l", "80%FREE", "-n", "thin", volumeGroup]);
  await workWithVolume(backend, pool);
  // What another has made by its name is left alone.
  await run("lvcreate", ["--yes", "-V", "8m", "--thinpool", "thin", "-n", storageName(volume), volumeGroup]);
  await expect(backend.remove(pool, volume)).rejects.toThrow("is not what the agent made");
});

it("keeps volumes on a share of NFS, or tells that the kernel knows none", async () => {
  needs("/usr/sbin/mount.nfs", "nfs-common");
  await load("nfs");
  await load("nfsd");
  const shared = join(root, "shared");
  await mkdir(shared);
  const backend = new NfsBackend({ state: root, policy: [{ nfs: `127.0.0.1:${shared}` }] });
  const pool = poolOf({ $case: "nfs", value: { server: "127.0.0.1", export: shared } });
  const known = await readFile("/proc/filesystems", "utf8");
  if (!/\tnfs4?\n/.test(known) || !/\tnfsd\n/.test(known)) {
    await expect(backend.open(pool)).rejects.toThrow(/hosts\/zt\/pools\/p: .*(modprobe nfs|does not answer)/);
    await backend.close(pool);
    expect(await readdir(join(root, "storage-mounts"))).toEqual([]);
    return;
  }
  needs("/usr/sbin/rpc.nfsd", "nfs-kernel-server");
  await run("exportfs", ["-o", "rw,no_root_squash,insecure,no_subtree_check", `127.0.0.1:${shared}`]);
  undo.defer(async () => void (await run("exportfs", ["-u", `127.0.0.1:${shared}`])));
  const threads = await readFile("/proc/fs/nfsd/threads", "utf8").catch(() => "0");
  if (Number(threads) === 0) {
    await run("rpc.nfsd", ["1"]);
    undo.defer(async () => void (await run("rpc.nfsd", ["0"])));
  }
  undo.defer(() => backend.close(pool));
  await workWithVolume(backend, pool);
});
