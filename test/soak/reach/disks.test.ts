import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { assertCanLook, makeDiskAppliance } from "../../helpers/disk-appliance.js";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;
let work: string;
let events: readonly string[];

/** The appliance starts in 20 s where nothing else works. */
const lookMs = 240_000;

beforeAll(async () => {
  await assertCanLook();
  work = await mkdtemp(join(tmpdir(), "zt-disks-"));
  const [appliance, images, tree] = [
    process.env["ZOR_TEST_DISK_APPLIANCE"] ?? (await makeDiskAppliance(work)),
    join(work, "images"),
    join(work, "tree"),
  ];
  await mkdir(images);
  await mkdir(join(tree, "etc"), { recursive: true });
  await writeFile(join(tree, "etc", "hosts"), "127.0.0.1 localhost\n", { mode: 0o640 });
  await run("chown", ["33:44", join(tree, "etc", "hosts")]);
  await writeFile(join(tree, "big"), Buffer.alloc(3_000_000, 7));
  await writeFile(join(tree, "n\u001b[0m\nm"), "");
  await symlink("/../../../etc/hosts", join(tree, "out"));
  await run("mknod", [join(tree, "device"), "b", "8", "0"]);
  await run("truncate", ["--size", "64M", join(images, "disk.raw")]);
  await run("mkfs.ext4", ["-q", "-F", "-d", tree, join(images, "disk.raw")], {
    env: { PATH: `${process.env["PATH"]}:/sbin` },
  });
  const config = join(work, "agent.yaml");
  await writeFile(config, `diskAppliance: ${appliance}\nimageDirs: [${images}, /var/lib/zor/images]\n`);
  rig = await ReachRig.start(["--config", config]);
  events = rig.watchEvents();
  const disks = [{ image: "disk.raw", persistent: true }];
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", disks } });
}, 600_000);
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

const zor = (...argv: string[]) => rig.zor(...argv);

describe("the disks of a machine", () => {
  it("are read as they are at one instant while it runs, and it goes on", { timeout: lookMs }, async () => {
    await rig.answers("m1");
    await rig.shell(
      "m1",
      "printf 'written %s' live | dd of=/dev/vda bs=1 seek=67000000 conv=notrunc,fsync 2>/dev/null",
    );
    const { stdout, stderr } = await zor("disk", "ls", "zt/m1");
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^brw.* device$/m);
    expect(stdout).toMatch(/^lrwxrwxrwx .* out -> \/\.\.\/\.\.\/\.\.\/etc\/hosts$/m);
    expect(stdout).toMatch(/ n\\x1b\[0m\\nm$/m);
    expect(await rig.shell("m1", "dd if=/dev/vda bs=1 skip=67000000 count=12 2>/dev/null")).toBe("written live");
    const refused = await zor("disk", "cp", join(work, "agent.yaml"), "zt/m1:/etc/hosts");
    expect(refused.stderr).toMatch(/runs, and disks are never written/);
    expect((await zor("disk", "ls", "zt/m1:disk7")).stderr).toMatch(/has no disk .*disk7.*disk0/);
  });

  it("are read and written while it is off", { timeout: 2 * lookMs }, async () => {
    expect(await zor("stop", "zt/m1")).toMatchObject({ code: 0 });
    const to = join(work, "to");
    await mkdir(to);
    expect((await zor("disk", "cat", "zt/m1:/device")).stderr).toMatch(/is no plain file/);
    expect((await zor("disk", "df", "zt/m1")).stdout).toMatch(/^\/dev\/sda +ext4 +\d+ .* disk0$/m);
    expect(await zor("disk", "cp", "zt/m1:/etc", to)).toMatchObject({ code: 0 });
    expect(await readFile(join(to, "etc", "hosts"), "utf8")).toBe("127.0.0.1 localhost\n");
    expect(await readdir(to)).toEqual(["etc"]);
    const editor = join(work, "editor");
    await writeFile(editor, '#!/bin/sh\necho 10.0.0.1 new >>"$1"\n');
    await chmod(editor, 0o755);
    const edit = rig.cli("disk", "edit", "zt/m1", "/etc/hosts");
    expect(await rig.tool("env", [`EDITOR=${editor}`, "VISUAL=", ...edit]).ended).toMatchObject({ code: 0 });
    const { stdout } = await zor("disk", "ls", "zt/m1", "/etc");
    expect(stdout).toMatch(/^-rw-r----- 33:44 +33 .* hosts$/m);
    expect(stdout).not.toContain(".zor");
    await eventually(() => expect(events.join("\n")).toMatch(/disk-written .*\/etc\/hosts/));
  });

  it("are let go of when zor or the agent is killed in the middle", { timeout: lookMs }, async () => {
    const look = rig.program("disk", "ls", "zt/m1");
    await eventually(() => access(join(rig.agent.state, "instances", "m1", "driver", "look")), lookMs);
    expect((await zor("start", "zt/m1")).stderr).toMatch(/is being looked into/);
    look.kill("SIGKILL");
    await look.ended;
    await eventually(async () => expect(await zor("start", "zt/m1")).toMatchObject({ code: 0, stderr: "" }));
  });
});
