import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { DriverInstance } from "../../../../../agent/drivers/driver-instance.js";
import type { DomainAccess } from "../../../../../agent/drivers/libvirt/domain-access.js";
import { DomainScreens } from "../../../../../agent/drivers/libvirt/domain-screens.js";

it("takes one picture of a domain after the other: they are in the same file", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-screen-"));
  const asked = { now: 0, most: 0 };
  const access = {
    find: async () => ({ uri: "qemu:///system", domain: { hasScreen: true, uuid: "d" } }),
    ask: async (_: unknown, __: string, [, , path = ""]: readonly string[]) => {
      asked.now += 1;
      asked.most = Math.max(asked.most, asked.now);
      await writeFile(path, "P6\n1 1\n255\nabc");
      asked.now -= 1;
    },
  } as unknown as DomainAccess;
  const screens = new DomainScreens(access);
  const instance = { uid: "u1", name: "hosts/h/instances/d", directory } as DriverInstance;
  try {
    const handle = { pid: 1, startTicks: "1", extra: {} };
    const { signal } = new AbortController();
    const pictures = await Promise.all([1, 2, 3].map(() => screens.captureScreen(instance, handle, { signal })));
    expect([asked.most, new Set(pictures.map((each) => Buffer.from(each).toString("hex"))).size]).toEqual([1, 1]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
