import { readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import type { CliResult } from "../../helpers/zor-cli.js";
import { VolumeRig } from "./volume-rig.js";

let rig: VolumeRig;
const rounds = 8;
const mib = 1024 * 1024;

beforeAll(async () => {
  rig = await VolumeRig.start();
  await writeFile(join(rig.images, "large"), randomBytes(48 * mib));
  await rig.machine("m1");
  await rig.machine("m2");
});

afterAll(() => rig[Symbol.asyncDispose]());

/** Runs command lines at the same moment. Resolves to those that succeeded and what the others said. */
async function atOnce(...lines: readonly (readonly string[])[]): Promise<readonly CliResult[]> {
  return await Promise.all(lines.map((line) => rig.reach.zor(...line)));
}

const succeeded = (results: readonly CliResult[]): number => results.filter(({ code }) => code === 0).length;
const words = (results: readonly CliResult[]): string => results.map(({ stderr }) => stderr).join("\n");

/** Names of all of a kind. */
async function listed(kind: string): Promise<readonly string[]> {
  const names = (await rig.done("get", kind, "-o", "name")).trim();
  return names === "" ? [] : names.split("\n").map((name) => basename(name));
}

/** A volume with random content that a machine has, and the digest of that. */
async function filled(id: string, machine: string): Promise<string> {
  await rig.done("create", "volume", `zt/${id}`, "--size", "48M", "--pool", "slow");
  await rig.done("volume", "attach", `zt/${id}`, machine);
  await eventually(async () => expect(await rig.reach.shell(machine, "cat /sys/block/vda/size")).toBe("98304\n"));
  await rig.reach.shell(machine, "dd if=/dev/urandom of=/dev/vda bs=1M count=40 conv=fsync");
  return await digest(machine);
}

async function digest(machine: string): Promise<string> {
  const sum = await rig.reach.shell(machine, "echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vda");
  expect(sum).toMatch(/^[0-9a-f]{32} /);
  return sum;
}

/** Ends what a test has had. */
async function gone(id: string): Promise<void> {
  await rig.done("volume", "detach", `zt/${id}`);
  await rig.done("delete", "volume", `zt/${id}`, "--yes");
  for (const pool of rig.pools) await rig.filesIn(pool, 0);
}

it("gives a volume to one of two machines that ask for it at the same moment, running or being made", async () => {
  await rig.done("create", "volume", "zt/one", "--size", "8M", "--pool", "slow");
  for (let round = 0; round < rounds; round += 1) {
    const attach = ["m1", "m2"].map((machine) => ["volume", "attach", "zt/one", machine]);
    const results = await atOnce(...attach);
    expect([succeeded(results), words(results)]).toEqual([1, expect.stringMatching(/volume one is disk0 of .*m[12]/)]);
    const { status } = (await rig.look("volume", "one")) as { status: { usedBy: readonly unknown[] } };
    expect(status.usedBy).toHaveLength(1);
    await rig.done("volume", "detach", "zt/one");
  }
  for (let round = 0; round < rounds; round += 1) {
    const flags = ["--accel", "tcg", "--kernel", "micro", "--disk", "volume=one"];
    const results = await atOnce(...["n1", "n2"].map((id) => ["create", "instance", `zt/${id}`, ...flags]));
    expect([succeeded(results), words(results)]).toEqual([1, expect.stringMatching(/volume one is disk0 of .*n[12]/)]);
    const made = (await listed("instances")).filter((id) => id.startsWith("n"));
    expect(made).toHaveLength(1);
    // Another start of the same one at the same moment is no second writer either.
    const [id = ""] = made;
    await rig.done("stop", `zt/${id}`);
    await atOnce(["start", `zt/${id}`], ["start", `zt/${id}`]);
    expect((await rig.look("instance", id))["status"]).toMatchObject({ state: "INSTANCE_STATE_RUNNING" });
    await rig.done("delete", "instance", `zt/${id}`, "--force", "--yes");
  }
  await rig.done("delete", "volume", "zt/one", "--yes");
});

it("changes nothing of a volume while it moves, says so at once, and loses nothing when the agent is killed", async () => {
  const sum = await filled("moves", "m1");
  const move = ["volume", "move", "zt/moves", "--to", "fast", "--limit-rate", "1M", "--no-wait"];
  await rig.done(...move);
  await rig.filesIn(rig.pools[1], 1);
  for (const line of [
    ["volume", "detach", "zt/moves"],
    ["volume", "resize", "zt/moves", "64M"],
    ["volume", "move", "zt/moves", "--to", "fast"],
    ["delete", "volume", "zt/moves", "--yes"],
    ["backup", "create", "zt/m1", "none"],
    ["snapshot", "create", "zt/m1", "none"],
    ["stop", "zt/m1"],
  ]) {
    expect({ line, said: await rig.refused(...line) }).toEqual({ line, said: expect.stringMatching(/moved/) });
  }
  await rig.restart();
  await rig.reach.answers("m1");
  await rig.filesIn(rig.pools[1], 0);
  expect(await digest("m1")).toBe(sum);
  expect(await listed("backups")).toEqual([]);
  await gone("moves");
});

it("neither resizes nor detaches a volume while it is backed up, also when both are asked for at once", async () => {
  const sum = await filled("backed", "m1");
  const slow = ["backup", "create", "zt/m1", "slow", "--rate", "1", "--no-wait"];
  await rig.done(...slow);
  const during = [
    ["volume", "resize", "zt/backed", "64M"],
    ["volume", "detach", "zt/backed"],
    ["volume", "move", "zt/backed", "--to", "fast"],
  ];
  for (const line of during)
    expect({ line, said: await rig.refused(...line) }).toEqual({ line, said: expect.stringMatching(/backed up/) });
  await rig.restart();
  await rig.reach.answers("m1");
  await eventually(async () => expect(await listed("backups")).toEqual([]));
  expect(await readdir(rig.backups)).toEqual([]);
  expect(await digest("m1")).toBe(sum);
  // Whichever comes first: the backup is whole, and the volume as large as was acknowledged.
  let sizeMib = 48;
  for (let round = 0; round < rounds; round += 1) {
    const results = await atOnce(
      ["backup", "create", "zt/m1", `r${round}`, "--incremental"],
      ["volume", "resize", "zt/backed", `${sizeMib + 1}M`],
    );
    const [backup, resize] = results;
    if (resize?.code === 0) sizeMib += 1;
    expect(words(results)).not.toMatch(/INTERNAL|undefined/);
    expect(succeeded(results)).toBeGreaterThan(0);
    if (backup?.code !== 0) await rig.done("backup", "create", "zt/m1", `r${round}`, "--incremental");
    expect((await rig.look("volume", "backed"))["spec"]).toMatchObject({ sizeMib: `${sizeMib}` });
    await eventually(async () => {
      expect(await rig.reach.shell("m1", "cat /sys/block/vda/size")).toBe(`${sizeMib * 2048}\n`);
    });
  }
  await rig.done("backup", "restore", `zt/m1.r${rounds - 1}`, "--as", "m3");
  await rig.reach.answers("m3");
  expect(await rig.reach.shell("m3", `head -c ${48 * mib} /dev/vda | md5sum`)).toBe(sum);
  await rig.done("delete", "instance", "zt/m3", "--force", "--yes");
  await gone("backed");
});

it("never has a volume in a pool that is gone, whichever of both was asked for first", async () => {
  const [slow] = rig.pools;
  for (let round = 0; round < rounds; round += 1) {
    const create = ["create", "volume", "zt/v", "--size", "8M", "--pool", "slow"];
    const remove = ["delete", "pool", "zt/slow", "--yes"];
    const results = await atOnce(...(round % 2 === 0 ? [create, remove] : [remove, create]));
    const isThere = (await listed("pools")).includes("slow");
    const volumes = await listed("volumes");
    expect({ isThere, volumes, codes: results.map(({ code }) => code) }).toEqual({
      ...{ isThere, volumes: isThere ? volumes : [] },
      codes: expect.arrayContaining([0]),
    });
    expect(succeeded(results)).toBe(1);
    expect(await readdir(slow)).toHaveLength(volumes.length);
    expect(words(results)).toMatch(isThere ? /zt\/volumes\/v/ : /zt\/pools\/slow/);
    if (isThere) await rig.done("delete", "volume", "zt/v", "--yes");
    else await rig.done("create", "pool", "zt/slow", "--directory", slow);
  }
  // One that takes a while to be made, and an agent that is killed meanwhile.
  await rig.done("create", "volume", "zt/copy", "--image", "large", "--pool", "slow", "--no-wait");
  const said = await rig.refused("delete", "pool", "zt/slow", "--yes");
  expect(said).toContain("zt/volumes/copy");
  await rig.restart();
  await eventually(async () => {
    const left = await listed("volumes");
    const { length } = await readdir(slow);
    // It was made before the end, or there is nothing of it.
    expect(length).toBe(left.length);
    for (const id of left)
      expect((await rig.look("volume", id))["status"]).toMatchObject({ state: "VOLUME_STATE_READY" });
  });
});
