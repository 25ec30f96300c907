import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, realpath, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";
import { startTarget, type TestTarget } from "./iscsi-target.js";

let rig: ReachRig;
let target: TestTarget;
let [images, pool] = ["", ""];
/** Of what a disk over the image "over" shows. */
let sum = "";

const { signal } = new AbortController();
const mib = 1024 * 1024;
const config = (): readonly string[] => ["--config", join(rig.agent.state, "agent.yaml")];

async function done(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
  return stdout;
}

async function refused(...argv: string[]): Promise<string> {
  const { code, stderr } = await rig.zor(...argv);
  expect({ argv, code }).not.toEqual({ argv, code: 0 });
  return stderr;
}

async function restart(): Promise<void> {
  await rig.agent.end("SIGKILL");
  await rig.agent.start(config());
  await rig.ready();
}

const image = (name: string): string => join(images, name);

/** Gives a volume to the machine, which reads that much of it. */
async function sumInGuest(volume: string, bytes: number): Promise<string> {
  await done("volume", "attach", `zt/${volume}`, "m1");
  await eventually(async () => expect(await rig.shell("m1", "cat /sys/block/vda/size")).toMatch(/^\d+\n$/));
  const told = await rig.shell("m1", `head -c ${bytes} /dev/vda | md5sum`);
  await done("volume", "detach", `zt/${volume}`);
  return told.slice(0, 32);
}

beforeAll(async () => {
  target = await startTarget([64]);
  rig = await ReachRig.start();
  const root = await realpath(rig.directory);
  [images, pool] = [join(root, "images"), join(root, "pool")];
  await Promise.all([mkdir(images), mkdir(pool)]);
  await writeFile(join(rig.agent.state, "password"), target.password);
  const san = `{ iscsi: "${target.portal}", target: "${target.target}", luns: [1], user: ${target.user}, passwordFile: ${join(rig.agent.state, "password")} }`;
  const allowed = `storagePools: [{ directory: ${pool} }, ${san}]`;
  await writeFile(join(rig.agent.state, "agent.yaml"), `${allowed}\nimageDirs: [${images}, /var/lib/zor/images]\n`);

  // An image that is the difference to another one, of no whole number of MiB.
  const bytes = 20 * mib + 512;
  const content = Buffer.concat([randomBytes(8 * mib), Buffer.alloc(bytes - 8 * mib)]);
  await writeFile(image("base.raw"), content);
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", image("base.raw"), image("over")], {
    signal,
  });
  await run("qemu-io", ["-c", `write -P 0x61 4M 64k`, "-c", "write -z 5M 64k", image("over")], { signal });
  content.fill(0x61, 4 * mib, 4 * mib + 65536).fill(0, 5 * mib, 5 * mib + 65536);
  sum = createHash("md5").update(content).digest("hex");
  await writeFile(image("big"), "");
  await truncate(image("big"), 2048 * mib);
  await restart();
  await done("create", "pool", "zt/fast", "--directory", pool);
  await done("create", "pool", "zt/san", "--iscsi", `${target.portal}/${target.target}`);
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro" } });
  await rig.answers("m1");
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

it.each([
  ["as large as the image", [], 21, 12],
  ["larger, raw", ["--format", "raw", "--size", "40M"], 40, 41],
])("begins with the content of an image and of those below: %s", async (_, flags, sizeMib, mostMib) => {
  await done("create", "volume", "zt/v", "--pool", "fast", "--image", "over", ...flags);
  const shown = await done("get", "volumes", "zt/v", "-o", "json");
  expect(shown).toContain(`"sizeMib": "${sizeMib}"`);
  // As a qcow2 it takes no room where the image has nothing.
  const [file = ""] = await readdir(pool);
  expect((await stat(join(pool, file))).blocks * 512).toBeLessThan(mostMib * mib);
  expect(await sumInGuest("v", 20 * mib + 512)).toBe(sum);
  await done("volume", "resize", "zt/v", "48M");
  expect(await sumInGuest("v", 20 * mib + 512)).toBe(sum);
  expect(await refused("set", "volume", "zt/v", "spec.image=big")).toContain("volume.spec.image");
  await done("delete", "volume", "zt/v", "--yes");
});

it("begins with the content of an image on a target of iSCSI", async () => {
  await done("create", "volume", "zt/remote", "--pool", "san", "--image", "over", "--size", "32M");
  await done("volume", "move", "zt/remote", "--to", "fast");
  expect(await sumInGuest("remote", 20 * mib + 512)).toBe(sum);
  await done("delete", "volume", "zt/remote", "--yes");
});

it("needs the image no more once it is there", async () => {
  await done("create", "volume", "zt/kept", "--pool", "fast", "--image", "over");
  const over = await readFile(image("over"));
  await rm(image("over"));
  await restart();
  await rig.answers("m1");
  expect(await sumInGuest("kept", 20 * mib + 512)).toBe(sum);
  await writeFile(image("over"), over);
  await done("delete", "volume", "zt/kept", "--yes");
});

it("refuses what is too small, not there or no image, and leaves nothing when it is cut short", async () => {
  const create = (...flags: string[]) => ["create", "volume", "zt/bad", "--pool", "fast", ...flags];
  expect(await refused(...create("--image", "over", "--size", "20M"))).toContain("21 MiB");
  expect(await refused(...create("--image", "nothing"))).toContain("volume.spec.image");
  expect(await refused(...create("--image", "/etc/passwd"))).toContain("volume.spec.image");
  expect(await refused(...create())).toContain("size_mib");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/shadow", image("evil"), "1M"], {
    signal,
  });
  expect(await refused(...create("--image", "evil"))).toContain("backing file");
  expect(await readdir(pool)).toEqual([]);

  await run("qemu-io", ["-f", "raw", "-c", "write -P 0x62 0 1G", image("big")], { signal });
  const started = JSON.parse(await done(...create("--image", "big", "--no-wait", "-o", "json"))) as {
    operation: { name: string };
  };
  const cancel = JSON.stringify({ name: started.operation.name });
  await eventually(async () => expect(await readdir(pool)).toHaveLength(1));
  await done("api", "call", "zor.v1.OperationService/CancelOperation", cancel);
  await eventually(async () => expect(await readdir(pool)).toEqual([]));
  await eventually(async () => expect(await refused("get", "volumes", "zt/bad")).toContain("zt/volumes/bad"));

  await done(...create("--image", "big", "--no-wait"));
  await eventually(async () => expect(await readdir(pool)).toHaveLength(1));
  await restart();
  await eventually(async () => expect(await readdir(pool)).toEqual([]));
  expect(await refused("get", "volumes", "zt/bad")).toContain("zt/volumes/bad");
});
