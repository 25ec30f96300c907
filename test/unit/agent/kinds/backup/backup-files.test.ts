import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../../../../agent/host/exec.js";
import { sealFiles, holdFiles } from "../../../../../agent/kinds/backup/backup-files.js";
import { makeQcow2 } from "../../drivers/qemu/qcow2-image.js";

const { signal } = new AbortController();
const file = "disk0.qcow2";
let directory: string;
let facts: Parameters<typeof holdFiles>[1];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-backup-"));
  await writeFile(join(directory, file), makeQcow2());
  const sealed = await sealFiles(directory, {}, signal);
  facts = { ...sealed, directory, whyFull: "", consistent: true, timeMs: 0, instance: {} };
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const path = () => join(directory, file);

describe("a backup", () => {
  it("is restored from as it was written", async () => {
    await using held = await holdFiles("hosts/h1/backups/b", facts, signal);
    expect(await held.files.get(file)?.readFile()).toEqual(makeQcow2());
    await expect(held.assertUnchanged()).resolves.toBeUndefined();
  });

  it("is restored from as it was verified, whatever its name means a moment later", async () => {
    await using held = await holdFiles("hosts/h1/backups/b", facts, signal);
    await rm(path());
    await writeFile(path(), makeQcow2({ backingFile: "/etc/shadow" }));
    expect(await held.files.get(file)?.readFile()).toEqual(makeQcow2());
  });

  it("is not restored from when somebody writes to its file after it was verified", async () => {
    await using held = await holdFiles("hosts/h1/backups/b", facts, signal);
    await writeFile(path(), makeQcow2({ backingFile: "/etc/shadow" }));
    await expect(held.assertUnchanged()).rejects.toMatchObject({
      reason: "BACKUP_DAMAGED",
      message: expect.stringContaining("disk0.qcow2 was changed or removed meanwhile"),
    });
  });

  it.each<readonly [string, () => Promise<unknown>]>([
    ["is gone", async () => undefined],
    ["is another image, over a file of the host", () => writeFile(path(), makeQcow2({ backingFile: "/etc/shadow" }))],
    ["is cut", () => writeFile(path(), makeQcow2().subarray(0, 100))],
    ["is a link to a file outside", () => symlink("/etc/shadow", path())],
    ["is a link to itself", () => symlink(path(), path())],
    ["is a link to a device without end", () => symlink("/dev/zero", path())],
    ["is a pipe that nobody writes to", () => run("mkfifo", [path()])],
    ["is a device without end", () => run("mknod", [path(), "c", "1", "5"])],
  ])("is not restored from when its file %s, and it is said which", async (_what, make) => {
    await rm(path());
    await make();
    const verified = holdFiles("hosts/h1/backups/b", facts, signal);
    await expect(verified).rejects.toMatchObject({
      reason: "BACKUP_DAMAGED",
      resource: "hosts/h1/backups/b",
      message: expect.stringMatching(/disk0\.qcow2.*restore an earlier one/),
    });
  });

  it("is not restored from by a link to what it was, which could lead elsewhere a moment later", async () => {
    await writeFile(join(directory, "other"), makeQcow2());
    await rm(path());
    await symlink("other", path());
    await expect(holdFiles("hosts/h1/backups/b", facts, signal)).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
  });
});
