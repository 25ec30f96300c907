import { mkdir, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";
import { startTarget, type TestTarget } from "./iscsi-target.js";

let rig: ReachRig;
let target: TestTarget;
let pools: readonly [string, string];

const config = (): readonly string[] => ["--config", join(rig.agent.state, "agent.yaml")];
const text = "words that were written while it moved";

async function done(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
  return stdout;
}

async function restart(): Promise<void> {
  await rig.agent.end("SIGKILL");
  await rig.agent.start(config());
  await rig.ready();
}

interface Shown {
  readonly spec: { readonly pool: string };
  readonly status: { readonly state: string };
}

async function volume(id: string): Promise<Shown> {
  const parsed = JSON.parse(await done("get", "volumes", `zt/${id}`, "-o", "json")) as { volumes?: Shown[] } & Shown;
  return parsed.volumes?.[0] ?? parsed;
}

/** Files of volumes that there are in a pool. */
const filesOf = async (pool: string): Promise<readonly string[]> => (await readdir(pool)).sort();

beforeAll(async () => {
  target = await startTarget([64, 96]);
  rig = await ReachRig.start();
  const root = await realpath(rig.directory);
  pools = [join(root, "slow"), join(root, "fast")];
  for (const pool of pools) await mkdir(pool);
  await writeFile(join(rig.agent.state, "password"), target.password);
  const san = `{ iscsi: "${target.portal}", target: "${target.target}", luns: [1, 2], user: ${target.user}, passwordFile: ${join(rig.agent.state, "password")} }`;
  const allowed = [...pools.map((pool) => `{ directory: ${pool} }`), san].join(", ");
  await writeFile(join(rig.agent.state, "agent.yaml"), `storagePools: [${allowed}]\n`);
  await restart();
  for (const pool of pools)
    await done("create", "pool", `zt/${pool.slice(pool.lastIndexOf("/") + 1)}`, "--directory", pool);
  const qemu = { accelerator: "ACCELERATOR_TCG", kernel: "micro" };
  await rig.create("m1", { qemu });
  await rig.answers("m1");
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

it("moves a volume while its guest writes, and the guest finds all of it after a restart", async () => {
  await done("create", "volume", "zt/live", "--size", "48M", "--pool", "slow");
  await done("volume", "attach", "zt/live", "m1");
  await eventually(async () => expect(await rig.shell("m1", "cat /sys/block/vda/size")).toBe("98304\n"));
  await rig.shell("m1", "dd if=/dev/urandom of=/dev/vda bs=1M count=40 && sync && md5sum /dev/vda >/sum && echo ok");
  const [before] = await filesOf(pools[0]);
  const moving = done("volume", "move", "zt/live", "--to", "fast", "--limit-rate", "10M");
  await eventually(async () => expect(await filesOf(pools[1])).toHaveLength(1));
  expect(
    await rig.shell("m1", `printf '${text}' | dd of=/dev/vda bs=1 seek=3000000 conv=notrunc && sync && echo ok`),
  ).toBe("ok\n");
  await moving;
  expect(await filesOf(pools[0])).toEqual([]);
  expect(before).toBeDefined();
  expect(await volume("live")).toMatchObject({ spec: { pool: "fast" }, status: { state: "VOLUME_STATE_ATTACHED" } });
  const read = `dd if=/dev/vda bs=1 skip=3000000 count=${text.length} 2>/dev/null`;
  expect(await rig.shell("m1", `echo 3 >/proc/sys/vm/drop_caches; ${read}`)).toBe(text);
  // Grows where it is now, and moves again.
  await done("volume", "resize", "zt/live", "56M");
  await eventually(async () => expect(await rig.shell("m1", "cat /sys/block/vda/size")).toBe("114688\n"));
  await restart();
  await rig.answers("m1");
  await done("volume", "move", "zt/live", "--to", "slow");
  expect(await filesOf(pools[1])).toEqual([]);
  await done("volume", "detach", "zt/live");
  await done("volume", "attach", "zt/live", "m1");
  await eventually(async () => expect(await rig.shell("m1", read)).toBe(text));
  await done("volume", "detach", "zt/live");
  await done("delete", "volume", "zt/live", "--yes");
  expect(await filesOf(pools[0])).toEqual([]);
});

it("leaves it where it was when it is cancelled, or the agent is ended in the middle", async () => {
  await done("create", "volume", "zt/kept", "--size", "48M", "--pool", "slow");
  await done("volume", "attach", "zt/kept", "m1");
  await eventually(async () => expect(await rig.shell("m1", "cat /sys/block/vda/size")).toBe("98304\n"));
  await rig.shell("m1", "dd if=/dev/urandom of=/dev/vda bs=1M count=40 && sync && echo ok");
  const files = await filesOf(pools[0]);
  const started = JSON.parse(
    await done("volume", "move", "zt/kept", "--to", "fast", "--limit-rate", "1M", "--no-wait", "-o", "json"),
  ) as {
    operation: { name: string };
  };
  await eventually(async () => expect(await filesOf(pools[1])).toHaveLength(1));
  const [, host, , operation] = started.operation.name.split("/");
  expect(await done("cancel", `${host}/${operation}`)).toBe("volume.move of zt/kept was cancelled\n");
  expect(await filesOf(pools[1])).toEqual([]);
  expect((await rig.zor("cancel", `${host}/${operation}`)).stderr).toContain("has ended already");
  // Ctrl-C.
  const typed = rig.program("volume", "move", "zt/kept", "--to", "fast", "--limit-rate", "1M");
  await eventually(async () => expect(await filesOf(pools[1])).toHaveLength(1));
  typed.kill("SIGINT");
  const { code, stderr } = await typed.ended;
  expect(stderr).toContain("copying while it runs");
  expect(code).not.toBe(0);
  expect(await filesOf(pools[1])).toEqual([]);
  await done("volume", "move", "zt/kept", "--to", "fast", "--limit-rate", "1M", "--no-wait");
  await eventually(async () => expect(await filesOf(pools[1])).toHaveLength(1));
  await restart();
  await eventually(async () => expect(await filesOf(pools[1])).toEqual([]));
  expect(await filesOf(pools[0])).toEqual(files);
  expect(await volume("kept")).toMatchObject({ spec: { pool: "slow" } });
  // Ended in the instant of the switch: the running machine knows which place it has.
  await rig.agent.end("SIGKILL");
  const facts = join(rig.agent.state, "volumes", "kept", "facts.json");
  const known = JSON.parse(await readFile(facts, "utf8")) as object;
  const storageId = (files[0] ?? "").replace(/^zor-|\.qcow2$/g, "");
  const from = { pool: "slow", storageId, format: "qcow2", sizeMib: 48 };
  const move = {
    from,
    to: { ...from, pool: "fast", storageId: "aaaa-1" },
    phase: "switching",
    node: "zor-disk0-other",
  };
  await writeFile(join(pools[1], "zor-aaaa-1.qcow2"), "half of it");
  await writeFile(facts, JSON.stringify({ ...known, move }));
  await rig.agent.start(config());
  await rig.ready();
  await eventually(async () => expect(await filesOf(pools[1])).toEqual([]));
  expect(await filesOf(pools[0])).toEqual(files);
  expect(await rig.shell("m1", "echo still >/dev/vda && sync && head -c 5 /dev/vda")).toBe("still");
  await done("volume", "detach", "zt/kept");
});

it("moves a volume that nobody has to a target of iSCSI, which a machine then starts from the network", async () => {
  await done("create", "pool", "zt/san", "--iscsi", `${target.portal}/${target.target}`);
  await done("volume", "move", "zt/kept", "--to", "san");
  expect(await filesOf(pools[0])).toEqual([]);
  expect((await rig.zor("volume", "attach", "zt/kept", "m1")).stderr).toContain("stop it first");
  await done("stop", "zt/m1");
  await done("volume", "attach", "zt/kept", "m1");
  await done("start", "zt/m1");
  await rig.answers("m1");
  await eventually(async () =>
    expect(await rig.shell("m1", "head -c 5 /dev/vda; cat /sys/block/vda/size")).toBe("still98304\n"),
  );
  await done("volume", "move", "zt/kept", "--to", "fast");
  expect(await rig.shell("m1", "head -c 5 /dev/vda")).toBe("still");
});
