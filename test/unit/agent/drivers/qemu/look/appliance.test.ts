import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Appliances } from "../../../../../../agent/drivers/qemu/look/appliance.js";

const resource = "hosts/a/instances/m1";
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-appliance-"));
  vi.stubEnv("PATH", [directory, process.env["PATH"]].join(delimiter));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, name), 0o755);
}

it("tells what to install where libguestfs is not", async () => {
  await program("perl", 'echo "Can\'t locate Sys/Guestfs.pm in @INC" >&2; exit 2');
  await expect(new Appliances(undefined, directory).get(resource, () => undefined)).rejects.toMatchObject({
    reason: "NO_LIBGUESTFS",
    message: `${resource}: disks are looked into by libguestfs, which is not installed on the host; install it with: apt-get install libguestfs-perl libguestfs-tools`,
  });
});

it("tells what is missing of an appliance that the administrator names", async () => {
  await program("perl", "echo 1.2.3");
  const given = new Appliances(join(directory, "given"), directory).get(resource, () => undefined);
  await expect(given).rejects.toMatchObject({
    reason: "NO_APPLIANCE",
    message: expect.stringMatching(/diskAppliance .*: kernel is not in it/),
  });
});
