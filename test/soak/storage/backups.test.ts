import { readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { VolumeRig } from "./volume-rig.js";

let rig: VolumeRig;

beforeAll(async () => {
  rig = await VolumeRig.start();
  await rig.done("create", "volume", "zt/data", "--size", "16M", "--pool", "slow");
  await rig.done("create", "volume", "zt/tools", "--size", "8M", "--pool", "slow");
  const own = { sizeMib: 16, persistent: true };
  await rig.machine("m1", own);
  await rig.done("volume", "attach", "zt/data", "m1");
  await rig.done("volume", "attach", "zt/tools", "m1", "--read-only");
});

afterAll(() => rig[Symbol.asyncDispose]());

interface ShownBackup {
  readonly status: {
    readonly chain: readonly string[];
    readonly reason?: string;
    readonly volumes?: readonly { readonly disk: string; readonly volume: string; readonly sizeBytes: string }[];
  };
}

const shown = async (id: string): Promise<ShownBackup["status"]> =>
  ((await rig.look("backup", id)) as unknown as ShownBackup).status;

it("holds what is in volumes, in full and by increments, also after the volume has moved while it runs", async () => {
  await rig.write("m1", "vda", "own one");
  await rig.write("m1", "vdb", "volume one");
  await rig.done("backup", "create", "zt/m1", "full");
  await rig.write("m1", "vdb", "volume two");
  await rig.done("backup", "create", "zt/m1", "more", "--incremental");
  const more = await shown("m1.more");
  expect(more.chain).toEqual(["m1.full", "m1.more"]);
  expect(more.volumes).toMatchObject([{ disk: "disk1", volume: "data", sizeBytes: `${16 * 1024 * 1024}` }]);
  expect((await readdir(join(rig.backups, "m1.more"))).filter((name) => name.startsWith("volume-"))).toHaveLength(1);
  // What was written before a move is not known where it goes to.
  await rig.done("volume", "move", "zt/data", "--to", "fast");
  await rig.write("m1", "vdb", "volume three");
  await rig.done("backup", "create", "zt/m1", "moved", "--incremental");
  expect((await shown("m1.moved")).chain).toEqual(["m1.moved"]);
  await rig.write("m1", "vdb", "volume four");
  await rig.done("backup", "create", "zt/m1", "again", "--incremental");
  expect((await shown("m1.again")).chain).toEqual(["m1.moved", "m1.again"]);
});

it("is restored as another machine, which has a disk of its own for it", async () => {
  await rig.done("backup", "restore", "zt/m1.more", "--as", "m2");
  await rig.reach.answers("m2");
  expect([await rig.read("m2", "vda"), await rig.read("m2", "vdb")]).toEqual(["own one", "volume two"]);
  expect(await rig.read("m1", "vdb")).toBe("volume four");
  await rig.write("m2", "vdb", "of its own");
  await rig.done("delete", "instance", "zt/m2", "--force", "--yes");
  expect((await rig.look("volume", "data"))["status"]).toMatchObject({
    usedBy: [{ instance: "hosts/zt/instances/m1" }],
  });
});

it("is restored into the same volume, also when that has grown, and what follows is a full one", async () => {
  await rig.write("m1", "vda", "own later");
  await rig.done("volume", "resize", "zt/data", "24M");
  await rig.done("backup", "restore", "zt/m1.more", "--replace", "--force", "--yes");
  await rig.reach.answers("m1");
  expect([await rig.read("m1", "vda"), await rig.read("m1", "vdb")]).toEqual(["own one", "volume two"]);
  expect(await rig.reach.shell("m1", "cat /sys/block/vdb/size; tail -c 1048576 /dev/vdb | tr -d '\\0' | wc -c")).toBe(
    `${24 * 2048}\n0\n`,
  );
  await rig.filesIn(rig.pools[1], 1);
  await rig.done("backup", "create", "zt/m1", "after", "--incremental");
  expect((await shown("m1.after")).chain).toEqual(["m1.after"]);
});

it("is refused into a volume that is elsewhere, only read, gone or another one, and changes nothing", async () => {
  await rig.write("m1", "vdb", "still there");
  const restore = ["backup", "restore", "zt/m1.more", "--replace", "--force", "--yes"];
  await rig.done("volume", "detach", "zt/data");
  expect(await rig.refused(...restore)).toMatch(/data.*is no disk of it any more.*zor volume attach.*--as/);
  await rig.done("volume", "attach", "zt/data", "m1", "--read-only");
  expect(await rig.refused(...restore)).toContain("it only reads now");
  await rig.done("volume", "detach", "zt/data");
  await rig.machine("m3", { volume: "data" });
  expect(await rig.refused(...restore)).toMatch(/data.*is disk0 of hosts\/zt\/instances\/m3 now/);
  expect(await rig.read("m3", "vda")).toBe("still there");
  // It is there as another instance all the same.
  await rig.done("backup", "restore", "zt/m1.more", "--as", "m4");
  await rig.reach.answers("m4");
  expect(await rig.read("m4", "vdb")).toBe("volume two");
  for (const id of ["m3", "m4"]) await rig.done("delete", "instance", `zt/${id}`, "--force", "--yes");
  await rig.done("delete", "volume", "zt/data", "--yes");
  expect(await rig.refused(...restore)).toContain("is gone");
  await rig.done("create", "volume", "zt/data", "--size", "16M", "--pool", "slow");
  // So that this is the second disk, also after a restart.
  await rig.done("volume", "detach", "zt/tools");
  await rig.done("volume", "attach", "zt/data", "m1");
  expect(await rig.refused(...restore)).toContain("what has its name now is another one");
  expect(await rig.read("m1", "vda")).toBe("own one");
});

it("tells why all of a volume was taken that is not kept as qcow2, and restores that on a server too", async () => {
  await rig.done("create", "volume", "zt/remote", "--size", "16M", "--pool", "san");
  await rig.machine("m5", { volume: "remote" });
  await rig.write("m5", "vda", "far away");
  await rig.done("backup", "create", "zt/m5", "one");
  await rig.done("stop", "zt/m5");
  await rig.done("backup", "create", "zt/m5", "two", "--incremental");
  expect((await shown("m5.two")).reason).toContain("disk0, the volume remote, is not kept as qcow2");
  await rig.done("start", "zt/m5");
  await rig.reach.answers("m5");
  await rig.write("m5", "vda", "changed");
  await rig.done("backup", "restore", "zt/m5.two", "--replace", "--force", "--yes");
  await rig.reach.answers("m5");
  expect(await rig.read("m5", "vda")).toBe("far away");
  await rig.done("delete", "instance", "zt/m5", "--force", "--yes");
});

it.each([
  [".before", "old"],
  [".gone", "new"],
])("holds after a kill in the middle of a restore, with the disks %s: the %s ones", async (suffix, kept) => {
  const own = (await rig.look("volume", "data")) as { uid: string };
  const driver = join(rig.reach.agent.state, "instances", "m1");
  await rig.reach.shell("m1", "dd if=/dev/urandom of=/dev/vdb bs=1M count=15 conv=fsync && echo ok");
  await rig.done("backup", "create", "zt/m1", `kill${suffix}`);
  await rig.write("m1", "vdb", "what it was");
  await rig.done("stop", "zt/m1");
  const before = await rig.filesIn(rig.pools[0], 2);
  const restore = ["backup", "restore", `zt/m1.kill${suffix}`, "--replace", "--rate", "1", "--yes", "--no-wait"];
  await rig.done(...restore);
  // The second place of the volume, beside its own and that of the tools.
  const during = await rig.filesIn(rig.pools[0], 3);
  expect(await rig.refused("start", "zt/m1")).toContain("is being restored by");
  expect(await rig.refused("volume", "move", "zt/data", "--to", "fast")).toMatch(/being restored/);
  expect(await rig.refused("volume", "detach", "zt/data")).toContain("restored");
  await rig.restart(async () => {
    const disks = await find(driver, "disks.before");
    if (kept === "new") await rename(disks, disks.replace(/before$/, "gone"));
  });
  const added = during.filter((name) => !before.includes(name));
  const gone = kept === "new" ? [`zor-${own.uid}.qcow2`] : added;
  expect(await rig.filesIn(rig.pools[0], 2)).toEqual(during.filter((name) => !gone.includes(name)));
  expect((await readdir(driver, { recursive: true })).filter((name) => name.endsWith(suffix))).toEqual([]);
  expect(await readFile(join(rig.reach.agent.state, "volumes", "data", "facts.json"), "utf8")).not.toContain("holder");
  await rig.done("start", "zt/m1");
  await rig.reach.answers("m1");
  if (kept === "old") expect(await rig.read("m1", "vdb")).toBe("what it was");
  await rig.write("m1", "vdb", "and goes on");
});

it("leaves a volume as it was when a restore is cancelled", async () => {
  await rig.write("m1", "vdb", "before that");
  await rig.done("stop", "zt/m1");
  const files = await rig.filesIn(rig.pools[0], 2);
  const argv = ["backup", "restore", "zt/m1.kill.gone", "--replace", "--rate", "1", "--yes", "--no-wait", "-o", "json"];
  const { operation } = JSON.parse(await rig.done(...argv)) as { operation: { name: string } };
  await rig.filesIn(rig.pools[0], 3);
  await rig.done("cancel", `zt/${operation.name.split("/").at(-1) ?? ""}`);
  expect(await rig.filesIn(rig.pools[0], 2)).toEqual(files);
  await rig.done("start", "zt/m1");
  await rig.reach.answers("m1");
  expect(await rig.read("m1", "vdb")).toBe("before that");
});

it("grows a volume after its machine has crashed, while it runs and at rest, and the next backup is a full one", async () => {
  const crash = async (): Promise<void> => {
    const file = join(rig.reach.agent.state, "instances", "m6", "handle.json");
    const { handle } = JSON.parse(await readFile(file, "utf8")) as { handle: { pid: number } };
    process.kill(handle.pid, "SIGKILL");
    const state = { state: expect.stringMatching(/_(FAILED|STOPPED)$/) };
    await eventually(async () => expect((await rig.look("instance", "m6"))["status"]).toMatchObject(state));
  };
  await rig.done("create", "volume", "zt/grows", "--size", "16M", "--pool", "fast");
  await rig.machine("m6", { volume: "grows" });
  await rig.done("backup", "create", "zt/m6", "sound");
  await rig.write("m6", "vda", "not lost");
  await crash();
  await rig.done("volume", "resize", "zt/grows", "32M");
  await rig.done("start", "zt/m6");
  await rig.reach.answers("m6");
  expect(await rig.read("m6", "vda")).toBe("not lost");
  await rig.done("backup", "create", "zt/m6", "sound2");
  await crash();
  await rig.done("start", "zt/m6");
  await rig.reach.answers("m6");
  await rig.done("volume", "resize", "zt/grows", "40M");
  await eventually(async () => expect(await rig.reach.shell("m6", "cat /sys/block/vda/size")).toBe(`${40 * 2048}\n`));
  await rig.done("backup", "create", "zt/m6", "sound3", "--incremental");
  expect((await shown("m6.sound3")).chain).toEqual(["m6.sound3"]);
});

it("is not restored into a machine with a disk that the backup knows nothing of, and changes nothing then", async () => {
  const { spec } = (await rig.look("instance", "m6")) as { spec: { qemu: { disks: readonly object[] } } };
  const disks = JSON.stringify([...spec.qemu.disks, { sizeMib: "8", persistent: true }]);
  await rig.done("set", "instance", "zt/m6", `spec.qemu.disks=${disks}`);
  const files = await rig.filesIn(rig.pools[1], 1);
  await rig.write("m6", "vda", "still here");
  const restore = ["backup", "restore", "zt/m6.sound3", "--replace", "--force", "--yes"];
  expect(await rig.refused(...restore)).toMatch(/disk1 is not in the backup/);
  expect(await rig.filesIn(rig.pools[1], 1)).toEqual(files);
  await rig.reach.answers("m6");
  expect(await rig.read("m6", "vda")).toBe("still here");
});

/** Path of something of that name below a directory. */
async function find(directory: string, name: string): Promise<string> {
  const found = (await readdir(directory, { recursive: true })).find((path) => path.split("/").at(-1) === name);
  if (found === undefined) throw new Error(`there is no ${name} in ${directory}`);
  return join(directory, found);
}
