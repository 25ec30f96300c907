import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.create("c1", { crun: { rootfs: "micro" } });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const data of createReadStream(path)) hash.update(data as Buffer);
  return hash.digest("hex");
}

it("a copy to a disk here that is full says so and leaves nothing but what can be gone on with", async () => {
  const full = join(rig.directory, "full");
  await mkdir(full);
  await rig.shell("c1", "mkdir -p /srv/tree; head -c 30000000 /dev/urandom >/srv/tree/noise");
  await run("mount", ["-t", "tmpfs", "-o", "size=20m", "tmpfs", full]);
  try {
    for (const what of ["/srv/tree/noise", "/srv/tree"]) {
      const { code, stderr } = await rig.program("cp", `zt/c1:${what}`, full).ended;
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/full|no space/i);
      expect((await readdir(full, { recursive: true })).filter((name) => basename(name) !== "tree")).toEqual([]);
    }
    const { stderr } = await rig.program("cp", "--resume", "zt/c1:/srv/tree/noise", full).ended;
    expect(stderr).toMatch(/kept in .*\.zor-part-(.|\n)*(full|no space)/i);
    await run("mount", ["-o", "remount,size=40m", full]);
    const again = await rig.program("cp", "--resume", "zt/c1:/srv/tree/noise", full).ended;
    expect(again).toMatchObject({ code: 0, stderr: expect.stringMatching(/going on after/) });
    const there = (await rig.shell("c1", "sha256sum /srv/tree/noise")).split(" ")[0];
    expect(await digestOf(join(full, "noise"))).toBe(there);
  } finally {
    await run("umount", [full]);
  }
});
