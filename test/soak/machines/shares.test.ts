import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DriverInstance } from "../../../agent/drivers/driver.js";
import { toUserId } from "../../../agent/drivers/qemu/privileges.js";
import { run } from "../../../agent/host/exec.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";
import { makeDebianGuest } from "./debian-guest.js";

let root: string;
let fixture: MachineFixture;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-"));
  await mkdir(join(root, "open"));
  await mkdir(join(root, "reading"));
  const shares = [
    { path: join(root, "open"), readOnly: false },
    { path: join(root, "reading"), readOnly: true },
    { path: join(root, "fast"), readOnly: false },
    { path: join(root, "fast-reading"), readOnly: true },
  ];
  fixture = await makeMachineFixture({ qemuArguments: false, pciDevices: [], usbDevices: [], shares });
  await makeDebianGuest(root, fixture.imageDirectory, ["9pnet_virtio", "9p", "virtiofs"]);
}, 120_000);

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const share = (name: string, more = {}) => ({ path: join(root, name), tag: name, ...more });
const start = async (instance: DriverInstance) =>
  fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);

it("shares what is allowed with those who may read it, and nothing else", { timeout: 180_000 }, async () => {
  const guest = { kernel: "vmlinuz", initrd: "initrd", kernelArguments: "quiet" };
  await writeFile(join(root, "reading", "note"), "of the host\n");
  await symlink(join(root, "open"), join(root, "open", "link"));

  await expect(fixture.create({ ...guest, shares: [share("kernel")] })).rejects.toThrow(/machineShares/);
  await expect(fixture.create({ ...guest, shares: [share("reading")] })).rejects.toThrow(/read_only.*machineShares/);
  await expect(fixture.create({ ...guest, shares: [share("open/link", { tag: "l" })] })).rejects.toThrow(/link/);
  await expect(fixture.create({ ...guest, shares: [share("open/none", { tag: "n" })] })).rejects.toThrow(/be there/);

  const shares = [share("open"), share("reading", { readOnly: true })];
  const instance = await fixture.create({ ...guest, shares }, [], { memoryMib: 256n });
  const user = toUserId(instance.uid);
  await expect(start(instance)).rejects.toThrow(new RegExp(`its user ${user} may not read and write.*setfacl`));
  await run("chown", [`${user}`, join(root, "open")]);
  const handle = await fixture.start(instance);
  const inside = (command: string) => fixture.shell(instance, handle, command);
  const mount = (tag: string) => `mkdir -p /m/${tag} && mount -t 9p -o trans=virtio,version=9p2000.L ${tag} /m/${tag}`;
  await inside(`${mount("open")} && ${mount("reading")}`);
  expect(await inside("cat /m/reading/note")).toBe("of the host\n");
  expect(await inside("echo x > /m/reading/x 2>&1 || true")).toMatch(/read-only|not permitted/i);

  await inside("echo of the guest > /m/open/file && chmod 4755 /m/open/file && mknod /m/open/disk b 8 0");
  await inside("ln -s /etc/shadow /m/open/shadow");
  expect(await readFile(join(root, "open", "file"), "utf8")).toBe("of the guest\n");
  const file = await stat(join(root, "open", "file"));
  expect([file.uid, file.mode & 0o7111]).toEqual([user, 0]);
  // Neither a device nor a link: notes about them.
  expect((await stat(join(root, "open", "disk"))).isFile()).toBe(true);
  expect(await readFile(join(root, "open", "shadow"), "utf8")).toBe("/etc/shadow");
  expect(await inside("stat -c %a:%F /m/open/disk; stat -c %a /m/open/file; readlink /m/open/shadow")).toMatch(
    /block special file\n4755\n\/etc\/shadow\n/,
  );
  // A link of the host in it leads to nothing of the host.
  expect(await inside("cat /m/open/link/file 2>&1 || true")).not.toContain("of the guest");
});

it("serves directories over virtiofs, which end with the machine", { timeout: 240_000 }, async () => {
  for (const name of ["fast", "fast-reading"]) await mkdir(join(root, name));
  await writeFile(join(root, "fast-reading", "note"), "of the host\n");
  const fast = [
    { ...share("fast"), type: "virtiofs" },
    { ...share("fast-reading", { readOnly: true }), type: "virtiofs" },
  ];
  const guest = { kernel: "vmlinuz", initrd: "initrd", kernelArguments: "quiet" };
  const instance = await fixture.create({ ...guest, shares: fast }, [], { memoryMib: 256n });
  const user = toUserId(instance.uid);
  await expect(start(instance)).rejects.toThrow(new RegExp(`its user ${user} may not read and write.*setfacl`));
  await run("chown", [`${user}`, join(root, "fast")]);
  const handle = await fixture.start(instance);
  const inside = (command: string) => fixture.shell(instance, handle, command);
  await inside(
    "for t in fast fast-reading; do mkdir -p /m/$t && mount -t virtiofs $t /m/$t; done; " +
      "echo of the guest > /m/fast/file && chmod 4755 /m/fast/file && ln -s /etc/shadow /m/fast/shadow",
  );
  expect(await inside("cat /m/fast-reading/note")).toBe("of the host\n");
  expect(await inside("echo x > /m/fast-reading/x 2>&1 || true")).toMatch(/read-only/i);
  expect(await inside("mknod /m/fast/disk b 8 0 2>&1 && head -c 1 /m/fast/disk 2>&1 || true")).toMatch(
    /not permitted/i,
  );
  // As the machine's own user, on the host and for whoever looks there.
  const file = await stat(join(root, "fast", "file"));
  expect([file.uid, file.gid]).toEqual([user, user]);
  expect(await readFile(join(root, "fast", "shadow"), "utf8").catch(() => "")).toBe(
    await readFile("/etc/shadow", "utf8"),
  );
  expect(await inside("cat /m/fast/shadow 2>&1 || true")).not.toContain("root:");

  const pids = async () =>
    await Promise.all(
      [0, 1].map(async (index) => {
        const text = await readFile(join(instance.directory, `virtiofs${index}.json`), "utf8");
        return (JSON.parse(text) as { pid: number }).pid;
      }),
    );
  for (const pid of await pids()) {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(new RegExp(`^Uid:\\s+${user}\\b`, "m"));
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
  }
  // The next agent finds them as they are.
  const driver = await fixture.nextDriver();
  expect(await driver.recover(instance, handle, callOptions)).toMatchObject({ pid: handle.pid });
  expect(await driver.inspect(instance, handle, callOptions)).toMatchObject({ state: "running", reason: "" });
  await expect.poll(async () => (await driver.inspect(instance, handle, callOptions)).execReady).toBe(true);
  expect(await inside("cat /m/fast/file")).toBe("of the guest\n");
  const [first = 0, second = 0] = await pids();
  process.kill(first, "SIGKILL");
  await expect
    .poll(async () => (await driver.inspect(instance, handle, callOptions)).reason)
    .toMatch(/fast \(virtiofsd\) has ended/);
  await driver.stop(instance, handle, callOptions);
  await expect.poll(async () => await readFile(`/proc/${second}/cmdline`, "utf8").catch(() => "")).toBe("");
  // And a start begins anew.
  const again = await start(instance);
  await expect
    .poll(async () => (await driver.inspect(instance, again, callOptions)).execReady, { timeout: 120_000 })
    .toBe(true);
  expect(await fixture.shell(instance, again, "mkdir -p /m && mount -t virtiofs fast /m && cat /m/file")).toBe(
    "of the guest\n",
  );
});
