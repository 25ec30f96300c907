import { mkdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../reach/rig.js";

let rig: ReachRig;
let pool: string;

const zor = (...argv: string[]) => rig.zor(...argv);
const config = (): readonly string[] => ["--config", join(rig.agent.state, "agent.yaml")];

async function done(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await zor(...argv);
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
  return stdout;
}

async function refused(...argv: string[]): Promise<string> {
  const { code, stderr } = await zor(...argv);
  expect({ argv, code }).not.toEqual({ argv, code: 0 });
  return stderr;
}

interface VolumeJson {
  readonly status: {
    readonly state: string;
    readonly usedBy?: readonly { instance: string; disk: string; running?: boolean }[];
  };
}

async function volume(): Promise<VolumeJson["status"]> {
  const text = await done("get", "volumes", "zt/data", "-o", "json");
  const parsed = JSON.parse(text) as { readonly volumes?: readonly VolumeJson[] } & VolumeJson;
  return (parsed.volumes?.[0] ?? parsed).status;
}

async function kill(): Promise<void> {
  await rig.agent.end("SIGKILL");
  await rig.agent.start(config());
  await rig.ready();
}

beforeAll(async () => {
  rig = await ReachRig.start();
  pool = join(await realpath(rig.directory), "pool");
  const backups = join(await realpath(rig.directory), "backups");
  await Promise.all([mkdir(pool), mkdir(backups)]);
  await writeFile(
    join(rig.agent.state, "agent.yaml"),
    `storagePools: [{ directory: ${pool} }]\nbackupDirs: [${backups}]\n`,
  );
  await kill();
  const qemu = { accelerator: "ACCELERATOR_TCG", kernel: "micro" };
  await Promise.all([rig.create("m1", { qemu }), rig.create("m2", { qemu })]);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

it("gives a volume to a running machine, grows it there, and gives what was written to another", async () => {
  expect(await refused("create", "pool", "zt/bad", "--directory", "/etc")).toContain("storagePools");
  await done("create", "pool", "zt/fast", "--directory", pool);
  await done("create", "volume", "zt/data", "--size", "32M", "--pool", "fast");
  await eventually(async () => expect(await volume()).toMatchObject({ state: "VOLUME_STATE_READY" }));
  expect(await refused("delete", "pool", "zt/fast", "--yes")).toContain("zt/volumes/data");
  await rig.answers("m1");
  await done("volume", "attach", "zt/data", "m1");
  await eventually(async () => {
    expect(await volume()).toMatchObject({
      state: "VOLUME_STATE_ATTACHED",
      usedBy: [{ instance: "hosts/zt/instances/m1", disk: "disk0", running: true }],
    });
  });
  expect(await refused("volume", "attach", "zt/data", "m2")).toContain("is disk0 of hosts/zt/instances/m1");
  expect(await refused("delete", "volume", "zt/data", "--yes")).toContain("zor volume detach");
  await eventually(async () => expect(await rig.shell("m1", "cat /sys/block/vda/size")).toBe("65536\n"));
  expect(await rig.shell("m1", "echo kept words >/dev/vda && sync && echo ok")).toBe("ok\n");
  await done("snapshot", "create", "zt/m1", "s1", "--ram");
  await done("backup", "create", "zt/m1", "b1");
  expect(await rig.shell("m1", "echo lost words >/dev/vda && sync && echo ok")).toBe("ok\n");
  await done("snapshot", "revert", "zt/m1", "s1", "--yes");
  expect(await refused("volume", "detach", "zt/data")).toContain("zt/snapshots/m1.s1");
  await done("snapshot", "delete", "zt/m1", "s1", "--yes");
  await kill();
  await eventually(async () => expect(await volume()).toMatchObject({ state: "VOLUME_STATE_ATTACHED" }));
  await done("volume", "resize", "zt/data", "48M");
  await rig.answers("m1");
  await eventually(async () => expect(await rig.shell("m1", "cat /sys/block/vda/size")).toBe("98304\n"));
  expect(await refused("volume", "resize", "zt/data", "16M")).toContain("grow only");
  await done("volume", "detach", "zt/data");
  await eventually(async () => expect(await volume()).toMatchObject({ state: "VOLUME_STATE_READY" }));
  await done("volume", "resize", "zt/data", "64M");
  await done("volume", "attach", "zt/data", "m2");
  await rig.answers("m2");
  await eventually(async () => {
    expect(await rig.shell("m2", "cat /sys/block/vda/size; head -c 10 /dev/vda")).toBe("131072\nkept words");
  });
  await done("delete", "instance", "zt/m2", "--force", "--yes");
  await eventually(async () => expect(await volume()).toMatchObject({ state: "VOLUME_STATE_READY" }));
  await done("delete", "volume", "zt/data", "--yes");
  await done("delete", "pool", "zt/fast", "--yes");
});
