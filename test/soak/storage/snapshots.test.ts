import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { VolumeRig } from "./volume-rig.js";

let rig: VolumeRig;

beforeAll(async () => {
  rig = await VolumeRig.start();
  await rig.done("create", "volume", "zt/data", "--size", "16M", "--pool", "slow");
  await rig.machine("m1", { sizeMib: 16, persistent: true });
  await rig.done("volume", "attach", "zt/data", "m1");
});

afterAll(async () => {
  for (const id of await listed("snapshots")) await rig.done("delete", "snapshot", `zt/${id}`, "--yes");
  await rig[Symbol.asyncDispose]();
});

/** Ids of all of a kind. */
async function listed(kind: string): Promise<readonly string[]> {
  const names = (await rig.done("get", kind, "-o", "name")).trim();
  return names === "" ? [] : names.split("\n").map((name) => name.slice(name.lastIndexOf("/") + 1));
}

/** Tags of the snapshots in the only file of a pool. */
async function tagsIn(pool: string): Promise<readonly string[]> {
  const [file = ""] = await rig.filesIn(pool, 1);
  const told = await run("qemu-img", ["info", "-U", "--output=json", join(pool, file)]);
  const { snapshots = [] } = JSON.parse(told.stdout) as { snapshots?: readonly { readonly name: string }[] };
  return snapshots.map(({ name }) => name);
}

const both = async (): Promise<readonly string[]> => [await rig.read("m1", "vda"), await rig.read("m1", "vdb")];

it("takes a machine and its volume back together, with memory and without, in a tree", async () => {
  await rig.write("m1", "vda", "own one");
  await rig.write("m1", "vdb", "volume one");
  await rig.reach.shell("m1", "echo kept >/tmp/mark");
  await rig.done("snapshot", "create", "zt/m1", "one", "--ram");
  expect((await rig.look("snapshot", "m1.one"))["status"]).toMatchObject({ volumes: ["data"] });
  await rig.write("m1", "vdb", "volume two");
  await rig.done("snapshot", "create", "zt/m1", "two");
  await rig.write("m1", "vda", "own three");
  await rig.write("m1", "vdb", "volume three");
  await rig.reach.shell("m1", "rm /tmp/mark");
  await rig.done("snapshot", "revert", "zt/m1", "one", "--yes");
  await rig.reach.answers("m1");
  expect(await both()).toEqual(["own one", "volume one"]);
  expect(await rig.reach.shell("m1", "cat /tmp/mark")).toBe("kept\n");
  await rig.write("m1", "vdb", "volume four");
  await rig.done("stop", "zt/m1");
  await rig.done("snapshot", "create", "zt/m1", "four");
  await rig.done("snapshot", "revert", "zt/m1", "two", "--yes");
  await rig.done("start", "zt/m1");
  await rig.reach.answers("m1");
  expect(await both()).toEqual(["own one", "volume two"]);
  await rig.done("snapshot", "delete", "zt/m1", "two", "--yes");
  await rig.done("snapshot", "revert", "zt/m1", "four", "--yes");
  await rig.reach.answers("m1");
  expect(await both()).toEqual(["own one", "volume four"]);
  expect(await rig.done("snapshot", "list", "zt/m1")).toMatch(/m1\.four +m1 +\* /);
  expect(await tagsIn(rig.pools[0])).toHaveLength(2);
});

it.each([
  [["volume", "detach", "zt/data"], "taken away from hosts/zt/instances/m1"],
  [["volume", "move", "zt/data", "--to", "fast"], "moved"],
  [["volume", "resize", "zt/data", "32M"], "resized"],
  [["delete", "volume", "zt/data", "--yes"], "deleted"],
  [["delete", "instance", "zt/m1", "--force", "--yes"], "left behind by the deletion of hosts/zt/instances/m1"],
])("keeps the volume as it is while snapshots are in it: %j", async (argv, what) => {
  const said = await rig.refused(...argv);
  expect(said).toContain(`hosts/zt/volumes/data cannot be ${what}: `);
  expect(said).toMatch(/hosts\/zt\/snapshots\/m1\.(one|four)/);
  expect(said).toContain("zor delete snapshot");
  expect(await both()).toEqual(["own one", "volume four"]);
});

it("outlast the agent, and backups hold what the volume holds after a snapshot was gone back to", async () => {
  await rig.done("backup", "create", "zt/m1", "before");
  await rig.restart();
  await rig.reach.answers("m1");
  expect(await rig.refused("volume", "detach", "zt/data")).toContain("m1.one");
  await rig.done("snapshot", "revert", "zt/m1", "one", "--yes");
  await rig.reach.answers("m1");
  await rig.done("backup", "create", "zt/m1", "after", "--incremental");
  expect((await rig.look("backup", "m1.after"))["status"]).toMatchObject({ chain: ["m1.after"] });
  await rig.done("backup", "restore", "zt/m1.after", "--as", "m2");
  await rig.reach.answers("m2");
  expect(await rig.read("m2", "vdb")).toBe("volume one");
  await rig.done("delete", "instance", "zt/m2", "--force", "--yes");
  expect(await rig.refused("backup", "restore", "zt/m1.after", "--replace", "--force", "--yes")).toContain(
    "hosts/zt/snapshots/m1.",
  );
});

it("leaves nothing in the volume of one that a kill of the agent cuts short, or of those that were deleted", async () => {
  await rig.reach.shell("m1", "dd if=/dev/urandom of=/dev/vdb bs=1M count=15 conv=fsync && echo ok");
  const taking = rig.done("snapshot", "create", "zt/m1", "cut", "--ram", "--no-wait");
  await taking;
  await rig.restart();
  await rig.reach.answers("m1");
  const left = await listed("snapshots");
  // Whether it was whole by then is nobody's to say; what is in the volume is what is told.
  expect((await tagsIn(rig.pools[0])).length).toBe(left.length);
  for (const id of left) await rig.done("delete", "snapshot", `zt/${id}`, "--yes");
  expect(await tagsIn(rig.pools[0])).toEqual([]);
  await rig.done("volume", "move", "zt/data", "--to", "fast");
  await rig.done("snapshot", "create", "zt/m1", "moved", "--ram");
  await rig.write("m1", "vdb", "after the move");
  await rig.done("snapshot", "revert", "zt/m1", "moved", "--yes");
  await rig.reach.answers("m1");
  expect(await rig.read("m1", "vdb")).not.toBe("after the move");
  await rig.done("snapshot", "delete", "zt/m1", "moved", "--yes");
  expect(await readdir(rig.pools[0])).toEqual([]);
  await rig.done("volume", "detach", "zt/data");
});

it("is refused where the volume keeps none, and says what to do; a machine of volumes alone has them too", async () => {
  await rig.done("create", "volume", "zt/raw", "--size", "16M", "--format", "raw");
  await rig.done("volume", "attach", "zt/raw", "m1");
  const said = await rig.refused("snapshot", "create", "zt/m1", "none");
  expect(said).toMatch(/the volume raw, is not kept as qcow2.*zor volume detach.*backup/);
  expect(await listed("snapshots")).toEqual([]);
  await rig.done("volume", "detach", "zt/raw");
  await rig.machine("m3", { volume: "data" });
  await rig.write("m3", "vda", "alone");
  await rig.done("snapshot", "create", "zt/m3", "s", "--ram");
  await rig.write("m3", "vda", "later");
  await rig.done("snapshot", "revert", "zt/m3", "s", "--yes");
  await rig.reach.answers("m3");
  expect(await rig.read("m3", "vda")).toBe("alone");
  await rig.done("snapshot", "delete", "zt/m3", "s", "--yes");
  await rig.done("delete", "instance", "zt/m3", "--force", "--yes");
  expect(await tagsIn(rig.pools[1])).toEqual([]);
});
