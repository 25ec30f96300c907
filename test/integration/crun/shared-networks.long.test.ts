import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { SnapshotRig } from "../snapshots/rig.js";

let rig: SnapshotRig;

beforeAll(async () => {
  rig = await SnapshotRig.start();
  await rig.create("router", toInstance({ rootfs: "micro" }, [{ addresses: ["192.0.2.1/24"] }]));
  await rig.create("beside", toInstance({ rootfs: "micro", networkOf: "router" }));
});

afterAll(async () => {
  if (rig !== undefined) expect(await rig.close()).toEqual([]);
});

function toInstance(crun: object, nics: readonly object[] = []): Instance {
  return Instance.fromJSON({ spec: { crun, nics } });
}

const addresses = () => rig.shell("beside", "ip -4 address show eth0 2>&1 | grep -o 'inet [0-9./]*'");
const pidOf = async (id: string) => (await rig.read(id)).status?.pid;

describe("a container in the network of another one", () => {
  it("has the interfaces of that, and its own processes", async () => {
    expect(await addresses()).toBe("inet 192.0.2.1/24");
    await rig.shell("router", "touch /tmp/mine");
    expect(await rig.shell("beside", "ls /tmp")).toBe("");
  });

  it("keeps that from being deleted, and says who is in the way", async () => {
    await expect(rig.delete("router")).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining("in use by hosts/zt/instances/beside, which joins its network"),
    });
  });

  it.each([
    ["a network that is not there", { networkOf: "nobody" }, [], "hosts/zt/instances/nobody"],
    ["one that is joined itself", { networkOf: "beside" }, [], "joins another one's"],
    ["interfaces of its own", { networkOf: "router" }, [{}], "must be empty"],
    ["sysctls of the network", { networkOf: "router", sysctls: { "net.ipv4.ip_forward": "1" } }, [], "set it where"],
    ["what is no name", { networkOf: "../router" }, [], "is not the id"],
  ])("is refused with %s", async (_word, crun, nics, message) => {
    const refused = rig.create("third", toInstance({ rootfs: "micro", ...crun }, nics));
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining(message) });
  });

  it("is told when that ends, and follows it when it is started anew", async () => {
    const before = await pidOf("beside");
    await rig.act("stopInstance", "router");
    await expect
      .poll(async () => (await rig.read("beside")).status?.reason)
      .toContain("router, whose network it joined, does not run");
    expect(await pidOf("beside")).toBe(before);
    await rig.act("startInstance", "router");
    await expect.poll(async () => await pidOf("beside"), { timeout: 60_000 }).not.toBe(before);
    await expect.poll(() => addresses().catch(String), { timeout: 60_000 }).toBe("inet 192.0.2.1/24");
    expect((await rig.read("beside")).status?.reason).toBe("");
  });

  it("cannot be started while that does not run", async () => {
    await rig.act("stopInstance", "beside");
    await rig.act("stopInstance", "router");
    await expect(rig.act("startInstance", "beside")).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining("joins the network of hosts/zt/instances/router, which does not run"),
    });
    await rig.delete("beside");
    await rig.delete("router");
  });
});
