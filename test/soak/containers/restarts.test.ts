import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthState } from "../../../proto/gen/zor/v1/crun.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { SnapshotRig } from "../../integration/snapshots/rig.js";

let rig: SnapshotRig;

beforeAll(async () => {
  rig = await SnapshotRig.start();
}, 60_000);

afterAll(async () => {
  if (rig !== undefined) expect(await rig.close()).toEqual([]);
}, 60_000);

const restart = (mode: string, more: object = {}) => ({ mode: `RESTART_MODE_${mode}`, minDelaySeconds: 1, ...more });

async function make(
  id: string,
  line: string,
  more: { readonly crun?: object; readonly restart: object },
): Promise<void> {
  const crun = { rootfs: "micro", command: ["/bin/sh", "-c", line], ...more.crun };
  await rig.create(id, Instance.fromJSON({ spec: { crun, restart: more.restart } }));
}

const statusOf = async (id: string) => (await rig.read(id)).status;

describe("a container that ends by itself", () => {
  it("is started again as often as its policy says, and then let be, with how it ended", async () => {
    await make("crash", "exit 3", { restart: restart("ON_FAILURE", { maxRestarts: 3, maxDelaySeconds: 1 }) });
    await expect
      .poll(async () => (await statusOf("crash"))?.restart, { timeout: 60_000 })
      .toMatchObject({ count: 3, givenUp: true });
    const { state, reason, lastEnd } = (await statusOf("crash")) ?? {};
    expect(state).toBe(InstanceState.INSTANCE_STATE_FAILED);
    expect(reason).toContain("exit code 3");
    expect(lastEnd?.exitCode).toBe(3);
  }, 120_000);

  it("is let be when it ended well and only failures count", async () => {
    await make("well", "exit 0", { restart: restart("ON_FAILURE") });
    await expect.poll(async () => (await statusOf("well"))?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    expect((await statusOf("well"))?.restart).toBeUndefined();
  });

  it("is always started again, over a restart of the agent, until somebody stops it", async () => {
    await make("always", "sleep 1", { restart: restart("ALWAYS", { maxDelaySeconds: 1 }) });
    await expect.poll(async () => (await statusOf("always"))?.restart?.count, { timeout: 60_000 }).toBeGreaterThan(1);
    await rig.kill();
    await expect.poll(async () => (await statusOf("always"))?.restart?.count, { timeout: 60_000 }).toBeGreaterThan(3);
    await rig.act("stopInstance", "always");
    expect((await statusOf("always"))?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    expect((await statusOf("always"))?.restart).toBeUndefined();
  }, 180_000);

  it("is ended when it is unhealthy, and started again healthy", async () => {
    const healthCheck = {
      command: ["/bin/sh", "-c", "test -e /tmp/sick && echo sick && exit 1; exit 0"],
      ...{ interval: { seconds: "1" }, retries: 2, endWhenUnhealthy: true },
    };
    await make("sick", "sleep 1000", { crun: { healthCheck }, restart: restart("ON_FAILURE") });
    const health = async () => (await statusOf("sick"))?.health?.state;
    await expect.poll(health, { timeout: 30_000 }).toBe(HealthState.HEALTH_STATE_HEALTHY);
    const pid = (await statusOf("sick"))?.pid;
    await rig.shell("sick", "touch /tmp/sick");
    await expect.poll(async () => (await statusOf("sick"))?.lastEnd?.text ?? "", { timeout: 60_000 }).toContain("sick");
    await expect.poll(health, { timeout: 60_000 }).toBe(HealthState.HEALTH_STATE_HEALTHY);
    expect((await statusOf("sick"))?.pid).not.toBe(pid);
  }, 180_000);
});
