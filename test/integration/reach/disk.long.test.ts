import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "./rig.js";

let rig: ReachRig;
let events: readonly string[];

beforeAll(async () => {
  rig = await ReachRig.start();
  events = rig.watchEvents();
  await rig.create("c1", { crun: { rootfs: "micro", persistent: true } });
  await rig.shell(
    "c1",
    `mkdir -p /srv/tree/deep; printf text >/srv/tree/deep/file; ln -s /etc/passwd /srv/out; ln -s /../../../srv/tree/deep/file /srv/up
    mkfifo /srv/pipe; printf 'a\\033[31m' >/srv/evil; printf x >"/srv/$(printf 'n\\033[0m\\nm')"
    chown 33:44 /srv/evil; chmod 640 /srv/evil; head -c 3000000 /dev/urandom >/srv/big`,
  );
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const zor = (...argv: string[]) => rig.zor(...argv);
const edit = async (program: string, path: string) => {
  const editor = join(rig.directory, "editor");
  await writeFile(editor, `#!/bin/sh\n${program}\n`);
  await chmod(editor, 0o755);
  const ended = rig.tool("env", [`EDITOR=${editor}`, "VISUAL=", ...rig.cli("disk", "edit", "zt/c1", path)]).ended;
  return await ended;
};

describe.each(["running", "stopped"])("the disks of a container that is %s", (state) => {
  beforeAll(async () => {
    if (state === "stopped") expect(await zor("stop", "zt/c1")).toMatchObject({ code: 0 });
  });

  it("are listed, with names and links as they are, and nothing of them reaches a terminal as an order", async () => {
    const { code, stdout } = await zor("disk", "ls", "zt/c1:/srv");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^drwxr-xr-x 0:0 +\d+ .* tree$/m);
    expect(stdout).toMatch(/^lrwxrwxrwx 0:0 +11 .* out -> \/etc\/passwd$/m);
    expect(stdout).toMatch(/^prw.* pipe$/m);
    expect(stdout).toMatch(/^-rw-r----- 33:44 +6 .* evil$/m);
    expect(stdout).toMatch(/ n\\x1b\[0m\\nm$/m);
    expect((await zor("disk", "ls", "zt/c1", "/etc/passwd", "-o", "name")).stdout).toBe("/etc/passwd\n");
    expect((await zor("disk", "df", "zt/c1", "-o", "json")).stdout).toContain('"device": "/"');
  });

  it("are read through links that stay inside, and nothing but plain files is opened", async () => {
    const passwd = (await zor("disk", "cat", "zt/c1", "/etc/passwd")).stdout;
    expect(passwd).toMatch(/^root:/);
    expect(await zor("disk", "cat", "zt/c1:/srv/out")).toMatchObject({ code: 0, stdout: passwd });
    expect(await zor("disk", "cat", "zt/c1:/srv/up")).toMatchObject({ code: 0, stdout: "text" });
    for (const name of ["pipe", "tree"]) {
      const { code, stderr } = await zor("disk", "cat", `zt/c1:/srv/${name}`);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/plain file|directory/);
    }
    expect((await zor("disk", "cat", "zt/c1", "/no/such")).stderr).toMatch(/does not exist/);
    expect((await zor("disk", "cat", "zt/c1", "no/such")).stderr).toMatch(/absolute/);
    expect((await zor("disk", "cat", "zt/c1:disk0", "/etc")).stderr).toMatch(/no disks of their own/);
  });

  it("complete paths on the command line, and nothing where there is none", async () => {
    // A process of its own: what completes writes past what commands print to. It waits longer than a shell would.
    const offered = async (...words: string[]) =>
      (await rig.program("--timeout", "60s", "complete", "--", ...words).ended).stdout;
    expect(await offered("disk", "ls", "zt/c1:/srv/tr")).toMatch(/^zt\/c1:\/srv\/tree\/(\t|$)/m);
    expect(await offered("cp", "zt/c1:/srv/tree/d")).toMatch(/^zt\/c1:\/srv\/tree\/deep\/(\t|$)/m);
    expect(await offered("cp", "zt/c1:/srv/n")).not.toContain("zt/c1:");
    expect(await offered("cp", "zt/nobody:/e")).not.toContain("zt/");
  });

  it("are copied out whole", async () => {
    const to = join(rig.directory, state);
    await mkdir(to);
    expect(await zor("disk", "cp", "zt/c1:/srv", to)).toMatchObject({ code: 0 });
    expect(await readFile(join(to, "srv/tree/deep/file"), "utf8")).toBe("text");
    expect((await stat(join(to, "srv/big"))).size).toBe(3_000_000);
    expect(await readdir(join(to, "srv"))).not.toContain("pipe");
    expect(await zor("disk", "cp", "zt/c1:/srv/tree/deep/file", join(to, "one"))).toMatchObject({ code: 0 });
    expect(await readFile(join(to, "one"), "utf8")).toBe("text");
  });
});

describe("the disks of a container are written", () => {
  it("while it does not run, with owner and mode as they were, and only if it still is what it was", async () => {
    expect(await edit('printf changed >"$1"', "/srv/evil")).toMatchObject({ code: 0 });
    expect((await zor("disk", "ls", "zt/c1:/srv")).stdout).toMatch(/^-rw-r----- 33:44 +7 .* evil$/m);
    expect(await edit("true", "/srv/evil")).toMatchObject({ code: 0, stderr: expect.stringContaining("not changed") });
    const from = join(rig.directory, "in");
    await mkdir(join(from, "deep"), { recursive: true });
    await writeFile(join(from, "deep", "new"), "new");
    expect(await zor("disk", "cp", from, "zt/c1:/srv")).toMatchObject({ code: 0, stderr: "" });
    expect(await zor("disk", "cp", join(from, "deep", "new"), "zt/c1:/srv/out2")).toMatchObject({ code: 0 });
    expect(await zor("disk", "cp", join(from, "deep", "new"), "zt/c1:/srv/tree")).toMatchObject({ code: 0 });
    expect((await zor("disk", "cat", "zt/c1:/srv/in/deep/new")).stdout).toBe("new");
    expect((await zor("disk", "cat", "zt/c1:/srv/tree/new")).stdout).toBe("new");
    expect((await zor("disk", "ls", "zt/c1:/srv", "-o", "name")).stdout).not.toContain(".zor");
  });

  it("and refused while it runs, even when it was started while somebody edited", async () => {
    const start = `${rig
      .cli("start", "zt/c1")
      .map((word) => `'${word}'`)
      .join(" ")} && printf late >"$1"`;
    const late = await edit(start, "/srv/evil");
    expect(late.code).not.toBe(0);
    expect(late.stderr).toMatch(/runs, and disks are never written/);
    const kept = /what you edited is in (\S+)/.exec(late.stderr)?.[1] ?? "";
    expect(await readFile(kept, "utf8")).toBe("late");
    expect(await edit("false", "/srv/evil")).toMatchObject({ stderr: expect.stringMatching(/runs/) });
    const into = await zor("disk", "cp", join(rig.directory, "in"), "zt/c1:/srv");
    expect(into.stderr).toMatch(/runs, and disks are never written/);
    expect(await rig.shell("c1", "cat /srv/evil; stat -c %u:%g:%a /srv/evil; ls /srv/in/deep")).toBe(
      "changed33:44:640\nnew\n",
    );
    await eventually(() => expect(events.join("\n")).toMatch(/instance.disk-written .*\/srv\/evil.* 7 bytes/));
    expect(events.join("\n")).toMatch(/instance.disk-read .*\/srv\/out.* was read/);
  });
});
