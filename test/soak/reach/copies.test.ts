import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";

const mib = 1024 * 1024;
/** Within the disk that a container has by default: there are no holes inside. */
const sparseBytes = 640 * mib;
let rig: ReachRig;
let from: string;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.create("c1", { crun: { rootfs: "micro" } });
  from = join(rig.directory, "sparse");
  const file = await open(from, "w");
  await file.truncate(sparseBytes);
  for (let at = 0; at < sparseBytes; at += 128 * mib) await file.write(randomBytes(mib), 0, mib, at + 12_345);
  await file.close();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const data of createReadStream(path)) hash.update(data as Buffer);
  return hash.digest("hex");
}
const partSize = async (directory: string): Promise<number> => {
  const [name] = (await readdir(directory)).filter((each) => each.startsWith(".zor-part-"));
  return name === undefined ? 0 : (await stat(join(directory, name))).size;
};
const insideSize = async (): Promise<number> =>
  Number(await rig.shell("c1", "wc -c /srv/.zor-part-* 2>/dev/null | awk '{print $1; exit}'"));
const leftInside = () => rig.shell("c1", "ls -A /srv /dev/shm | grep zor; true");

/** Ends what is under way: the client by SIGKILL, then the agent. */
const ends = {
  client: (program: ReturnType<ReachRig["program"]>) => Promise.resolve(program.kill("SIGKILL")),
  agent: async () => {
    await rig.agent.end("SIGKILL");
    await rig.agent.start();
    await rig.ready();
  },
};

describe("a copy of 640 MiB, most of it holes, is gone on with", () => {
  it("on the way into an instance, after client and agent were killed", async () => {
    await rig.shell("c1", "mkdir -p /srv");
    let had = 0;
    for (const end of [ends.client, ends.agent]) {
      const copy = rig.program("cp", "--resume", from, "zt/c1:/srv/in");
      await eventually(async () => expect(await insideSize()).toBeGreaterThan(had + 64 * mib), 120_000);
      await end(copy);
      const { code, stderr } = await copy.ended;
      expect(code).not.toBe(0);
      if (end === ends.agent) expect(stderr).toMatch(/going on after \d{8,} bytes(.|\n)*kept inside/);
      had = await insideSize();
      expect(had).toBeLessThan(sparseBytes);
    }
    const last = await rig.program("cp", "--resume", from, "zt/c1:/srv/in").ended;
    expect(last).toMatchObject({ code: 0, stderr: expect.stringMatching(/going on after \d{8,} bytes/) });
    expect(await rig.shell("c1", "sha256sum /srv/in")).toBe(`${await digestOf(from)}  /srv/in\n`);
    expect(await leftInside()).toBe("");
  });

  it("on the way here, after client and agent were killed, and its holes are holes", async () => {
    const to = join(rig.directory, "to");
    await mkdir(to);
    let had = 0;
    for (const end of [ends.client, ends.agent]) {
      const copy = rig.program("cp", "--resume", "zt/c1:/srv/in", to);
      await eventually(async () => expect(await partSize(to)).toBeGreaterThan(had + 64 * mib), 120_000);
      await end(copy);
      expect((await copy.ended).code).not.toBe(0);
      had = await partSize(to);
      expect(had).toBeLessThan(sparseBytes);
    }
    const last = await rig.program("cp", "--resume", "zt/c1:/srv/in", to).ended;
    expect(last).toMatchObject({ code: 0, stderr: expect.stringMatching(/going on after \d{8,} bytes/) });
    expect(await readdir(to)).toEqual(["in"]);
    expect(await digestOf(join(to, "in"))).toBe(await digestOf(from));
    expect((await stat(join(to, "in"))).blocks * 512).toBeLessThan(16 * mib);
  });
});

describe("where the disk is full", () => {
  it("a copy into an instance says so and leaves nothing but what can be gone on with", async () => {
    const noise = join(rig.directory, "noise");
    await writeFile(noise, randomBytes(100 * mib));
    await mkdir(join(rig.directory, "tree"));
    await writeFile(join(rig.directory, "tree", "noise"), randomBytes(100 * mib));
    for (const what of [noise, join(rig.directory, "tree")]) {
      const { code, stderr } = await rig.program("cp", what, "zt/c1:/dev/shm").ended;
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/does not fit|No space left on device/);
      await eventually(async () => expect(await leftInside()).toBe(""));
      expect(await rig.shell("c1", "ls -A /dev/shm")).toBe("");
    }
    const resumed = await rig.program("cp", "--resume", noise, "zt/c1:/dev/shm").ended;
    expect(resumed.stderr).toMatch(/kept inside in \/dev\/shm\/\.zor-part-[\s\S]*(does not fit|No space left)/);
    expect(await leftInside()).toMatch(/^\.zor-part-[0-9a-f]{16}\n$/);
    await rig.shell("c1", "rm /dev/shm/.zor-part-*");
    await rm(noise);
  });

  it("a copy to here does likewise", async () => {
    const full = join(rig.directory, "full");
    await mkdir(full);
    await rig.shell("c1", "mkdir /srv/tree; head -c 30000000 /dev/urandom >/srv/tree/noise");
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
});
