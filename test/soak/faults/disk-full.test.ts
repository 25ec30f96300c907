import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { noise } from "../../helpers/image-imports.js";
import { ReachRig } from "../../integration/reach/rig.js";
import { SmallDisk } from "./small-disk.js";

const mib = 1024 * 1024;
let disk: SmallDisk;
let elsewhere: SmallDisk;
let rig: ReachRig;
let pid: number;
let cleanUp: AsyncDisposableStack | undefined;

const config = (): readonly string[] => ["--config", join(rig.agent.state, "agent.yaml")];
const machine = {
  qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", disks: [{ image: "disk.raw", persistent: true }] },
};
/** What is told of calls, and what grows by itself. */
const passing = /^(requests|operations)(\/|$)|\.(log|tmp)$|run\.json|console|events|\.lock$/;
const files = () => disk.list(rig.agent.state, passing);

async function done(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
  return stdout;
}

/** What a command that fails complains of. */
async function complaint(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  expect({ argv, failed: code !== 0, stdout, stderr }).toMatchObject({ argv, failed: true });
  return stderr;
}

const refusal = (id: string, spec: object): Promise<string> =>
  rig.create(id, spec).then(
    () => "it was made",
    (error: unknown) => (error instanceof Error ? error.message : "no error"),
  );

interface Listed {
  readonly name: string;
  readonly status: { readonly state: string };
}

/** "NAME STATE" of all instances. */
async function instances(): Promise<readonly string[]> {
  const parsed = JSON.parse(await done("get", "instances", "-o", "json")) as { instances: Listed[] };
  return parsed.instances.map(({ name, status }) => `${name.split("/").at(-1)} ${status.state}`).sort();
}

/** Words that say what to do. */
const remedy = /free some|make room|disk\.|lower|delete|stop/i;

beforeAll(async () => {
  await using undo = new AsyncDisposableStack();
  disk = undo.use(await SmallDisk.mount(320));
  elsewhere = undo.use(await SmallDisk.mount(8));
  rig = undo.use(await ReachRig.start([], disk.directory));
  const { state } = rig.agent;
  await mkdir(join(state, "images"), { recursive: true });
  await writeFile(join(state, "images", "disk.raw"), noise("disk", 24 * mib));
  await mkdir(join(state, "images", "tree"));
  await writeFile(join(state, "images", "tree", "blob"), noise("tree", 20 * mib));
  await run("tar", ["-cf", join(state, "images", "tree.tar"), "-C", join(state, "images", "tree"), "."]);
  await mkdir(join(state, "copies"));
  const settings = {
    backupDirs: [join(state, "copies")],
    disk: { reserveMib: 0, containerMib: 16, totalMib: 100_000 },
  };
  await writeFile(join(state, "agent.yaml"), JSON.stringify(settings));
  await restart();
  await rig.createLan("lan1");
  await rig.create("m1", machine);
  await rig.create("c1", { crun: { rootfs: "micro", persistent: true }, nics: [{ lan: "lan1" }] });
  await rig.answers("m1");
  await rig.answers("c1");
  await rig.shell("m1", "dd if=/dev/urandom of=/dev/vda bs=1M count=16 && sync");
  cleanUp = undo.move();
});

afterEach(async () => {
  await disk.clear();
  await elsewhere.clear();
});

afterAll(async () => {
  await cleanUp?.[Symbol.asyncDispose]();
});

async function restart(): Promise<void> {
  await rig.agent.end("SIGKILL");
  await rig.agent.start(config());
  await rig.ready();
  pid = rig.agent.pid;
}

/** The agent is the same, its instances are as they were, and its guests answer. */
async function assertAllGoesOn(before: readonly string[]): Promise<void> {
  expect(rig.agent.pid).toBe(pid);
  expect(await instances()).toEqual(before);
  expect(await rig.shell("m1", "echo here")).toBe("here\n");
  // What a command in a container is begun with takes a little of the disk.
  const { stdout, stderr } = await rig.zor("exec", "zt/c1", "--", "echo", "here");
  expect(stdout + stderr).toMatch(/^here\n$|instances\/c1.*free some space/s);
}

interface Situation {
  readonly what: string;
  readonly leaveMib: number;
  readonly act: () => Promise<string>;
  /** The resource that the error names. */
  readonly names: RegExp;
}

const full = (what: string, names: RegExp, leaveMib: number, act: () => Promise<string>): Situation => ({
  ...{ what, names, leaveMib, act },
});

const vmdk = (): string => join(elsewhere.directory, "..", `${rig.agent.netns}.vmdk`);

describe("a disk that fills up", () => {
  it.each([
    full("create a machine", /instances\/bad/, 0, () => refusal("bad", machine)),
    full("create a container with its layer", /instances\/bad/, 6, () =>
      refusal("bad", { crun: { rootfs: "micro", persistent: true } }),
    ),
    full("create a container, unpacking", /instances\/bad/, 18, () => refusal("bad", { crun: { rootfs: "tree.tar" } })),
    full("create a lan", /lans\/bad/, 0, () => complaint("create", "lan", "zt/bad")),
    full("save", /images\/saved|instances\/m1/, 4, () => complaint("save", "zt/m1", "--image", "saved")),
    full("snapshot without memory", /snapshots\/m1\.bad|instances\/m1/, 0, () =>
      complaint("snapshot", "create", "zt/m1", "bad"),
    ),
    full("snapshot with memory", /snapshots\/m1\.bad|instances\/m1/, 4, () =>
      complaint("snapshot", "create", "zt/m1", "bad", "--ram"),
    ),
    full("snapshot of a container", /snapshots\/c1\.bad|instances\/c1/, 0, () =>
      complaint("snapshot", "create", "zt/c1", "bad"),
    ),
    full("backup", /backups\/m1\.bad|instances\/m1/, 4, () => complaint("backup", "create", "zt/m1", "bad")),
    full("clone", /instances\/copy/, 4, () => complaint("clone", "zt/m1", "copy")),
    full("suspend", /instances\/m1/, 4, () => complaint("suspend", "zt/m1")),
    full("volume", /volumes\/bad/, 0, () => complaint("create", "volume", "zt/bad", "--size", "8M")),
    full("raw volume", /volumes\/bad/, 0, () =>
      complaint("create", "volume", "zt/bad", "--size", "8M", "--format", "raw"),
    ),
    full("image import", /images\/bad/, 4, () => complaint("image", "import", vmdk(), "--host", "zt", "--name", "bad")),
    full("image import, converting", /images\/bad/, 40, () =>
      complaint("image", "import", vmdk(), "--host", "zt", "--name", "bad"),
    ),
    full("update an instance", /instances\/c1/, 0, () => complaint("set", "instance", "zt/c1", "--restart", "always")),
  ])(
    "$what: says so, leaves nothing and stops nobody",
    { timeout: 180_000 },
    async ({ what, act, names, leaveMib }) => {
      if (what.startsWith("image import")) {
        await writeFile(`${vmdk()}.raw`, noise("vmdk", 30 * mib));
        await run("qemu-img", ["convert", "-f", "raw", "-O", "vmdk", `${vmdk()}.raw`, vmdk()]);
      }
      const [before, were] = [await files(), await instances()];
      await disk.fill(leaveMib);
      const said = await act();
      await assertAllGoesOn(were);
      await disk.clear();
      expect(await rig.shell("c1", "echo here")).toBe("here\n");
      expect(said).toMatch(names);
      expect(said).toMatch(remedy);
      expect(said).not.toContain(rig.agent.state);
      await eventually(async () => expect(await files()).toEqual(before));
      await removed(vmdk());
    },
  );
});

async function removed(file: string): Promise<void> {
  await run("rm", ["-f", file, `${file}.raw`]);
}

describe("copies of files", () => {
  it("into a container whose disk is full say so, and leave nothing of the file", async () => {
    const file = join(elsewhere.directory, "..", `${rig.agent.netns}.big`);
    await writeFile(file, noise("big", 24 * mib));
    const said = await complaint("cp", file, "zt/c1:/big");
    await removed(file);
    expect(said).toMatch(/big.*(does not fit|No space)/s);
    expect(await rig.shell("c1", "ls -a / | grep -c -e big -e zor-cp || true")).toBe("0\n");
    expect(await rig.shell("c1", "echo written > /ok && cat /ok")).toBe("written\n");
  });

  it("to a directory whose disk is full say so, and leave nothing of the file", async () => {
    await rig.shell("m1", "dd if=/dev/urandom of=/big bs=1M count=12");
    const said = await complaint("cp", "zt/m1:/big", elsewhere.directory);
    expect(said).toMatch(/big.*(does not fit|No space)/s);
    expect(await elsewhere.list(elsewhere.directory, /ballast/)).toEqual([]);
    await rig.shell("m1", "rm /big");
  });
});

describe("on a disk without a free byte", () => {
  it("what stops and deletes works, and the agent starts again and knows all of it", { timeout: 180_000 }, async () => {
    await rig.create("gone", { crun: { rootfs: "micro" } });
    await rig.createLan("lan2");
    const before = await instances();
    // These tests find the agent by a small file, which it does without where there is no room.
    await disk.fill(1);
    await restart();
    await disk.fill(0);
    await assertAllGoesOn(before);
    await done("stop", "zt/c1");
    await done("delete", "instance", "zt/gone", "--yes", "--force");
    await done("delete", "lan", "zt/lan2", "--yes");
    await disk.fill(0);
    const said = await rig.zor("start", "zt/c1");
    if (said.code !== 0) expect(said.stderr).toMatch(remedy);
    await disk.clear();
    await restart();
    if (said.code !== 0) await done("start", "zt/c1");
    await rig.answers("c1");
    expect(await instances()).toEqual(before.filter((each) => !each.startsWith("gone ")));
    expect(await readFile(join(rig.agent.state, "run.json"), "utf8")).not.toBe("");
    await rig.create("again", machine);
    await rig.answers("again");
    await done("delete", "instance", "zt/again", "--yes", "--force");
  });
});
