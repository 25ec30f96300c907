import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
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

it("connects to the screen of a domain by the protocol that it is shown by on this host, and says which it is not", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-screen-"));
  const path = join(directory, "spice");
  const server = createServer((socket) => socket.end("REDQ")).listen(path);
  await once(server, "listening");
  const graphics = [{ type: "spice", port: 0, socket: path }];
  const access = { find: async () => ({ uri: "qemu:///system", domain: { hasScreen: true, uuid: "d", graphics } }) };
  const screens = new DomainScreens(access as unknown as DomainAccess);
  const instance = { uid: "u1", id: "d", name: "hosts/h/instances/d", directory } as DriverInstance;
  const handle = { pid: 1, startTicks: "1", extra: {} };
  async function* nothing(): AsyncGenerator<Uint8Array> {}
  const read = async (protocol: "vnc" | "spice"): Promise<string> => {
    let said = "";
    const { signal } = new AbortController();
    for await (const each of screens.connectScreen(instance, handle, { protocol, input: nothing() }, { signal })) {
      if (each.type === "data") said += Buffer.from(each.data).toString();
    }
    return said;
  };
  try {
    expect(await read("spice")).toBe("REDQ");
    await expect(read("vnc")).rejects.toMatchObject({
      ...{ reason: "NO_VNC", message: expect.stringContaining("zor view d --protocol spice") },
    });
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});
