import { afterAll, beforeAll, expect, it } from "vitest";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { SnapshotRig } from "../../integration/snapshots/rig.js";

let rig: SnapshotRig;

beforeAll(async () => {
  rig = await SnapshotRig.start();
  const nics = [{ addresses: ["192.0.2.1/24"] }];
  await rig.create("router", Instance.fromJSON({ spec: { crun: { rootfs: "micro" }, nics } }));
  await rig.create("beside", Instance.fromJSON({ spec: { crun: { rootfs: "micro", networkOf: "router" } } }));
}, 60_000);

afterAll(async () => {
  if (rig !== undefined) expect(await rig.close()).toEqual([]);
}, 60_000);

const addresses = () => rig.shell("beside", "ip -4 address show eth0 2>&1 | grep -o 'inet [0-9./]*'");
const statusOf = async (id: string) => (await rig.read(id)).status;

it("a container follows the network that it joins over restarts of the agent, also when that ends meanwhile", async () => {
  const { pid } = (await statusOf("beside")) ?? {};
  await rig.kill();
  await expect.poll(async () => (await statusOf("beside"))?.reason, { timeout: 20_000 }).toBe("");
  expect((await statusOf("beside"))?.pid).toBe(pid);
  await rig.act("stopInstance", "router");
  await rig.kill();
  const lost = "router, whose network it joined, does not run";
  await expect.poll(async () => (await statusOf("beside"))?.reason, { timeout: 20_000 }).toContain(lost);
  await rig.act("startInstance", "router");
  await expect.poll(async () => (await statusOf("beside"))?.pid, { timeout: 20_000 }).not.toBe(pid);
  await expect.poll(() => addresses().catch(String), { timeout: 20_000 }).toBe("inet 192.0.2.1/24");
  expect((await statusOf("beside"))?.reason).toBe("");
  for (const id of ["beside", "router"]) await rig.delete(id);
}, 180_000);
