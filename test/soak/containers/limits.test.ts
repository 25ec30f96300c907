import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { DriverInstance } from "../../../agent/drivers/driver.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "../../integration/crun/fixture.js";

const before = captureMachine();
const mib = 2 ** 20;
let world: CrunFixture;

beforeAll(async () => {
  world = await CrunFixture.make({ containerMib: 256 });
});

afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
});

/** The same instance with other limits. */
function limited(instance: DriverInstance, limits: object, size: object = {}): DriverInstance {
  const value = CrunOptions.fromPartial({ rootfs: "micro", command: ["/bin/sleep", "1000"], limits });
  const spec = InstanceSpec.fromPartial({ cpus: 1, memoryMib: 64n, ...size, driver: { $case: "crun", value } });
  return { ...instance, spec };
}

/** Bytes a second that a command moves inside. */
async function rateOf(instance: DriverInstance, bytes: number, line: string): Promise<number> {
  const handle = await world.driver.recover(instance, undefined);
  if (handle === undefined) throw new Error("it does not run");
  const began = performance.now();
  const text = await world.shell(instance, handle, line);
  expect(text).toMatch(/records out/);
  return bytes / ((performance.now() - began) / 1000);
}

describe("the disk's limits of a container", () => {
  it("hold for what it writes and reads, and are changed while it runs", async () => {
    const limits = { writeBytesPerSecond: BigInt(2 * mib), readBytesPerSecond: BigInt(4 * mib) };
    const defined = await world.define({});
    const instance = limited(defined, limits);
    await world.driver.create(instance, callOptions);
    await world.start(instance);
    const write = (count: number) => `dd if=/dev/zero of=/f bs=1M count=${count} conv=fsync 2>&1`;
    const read = (count: number) => `dd if=/f of=/dev/null bs=1M count=${count} iflag=direct 2>&1`;
    const written = await rateOf(instance, 16 * mib, write(16));
    const got = await rateOf(instance, 16 * mib, read(16));
    const free = limited(defined, {});
    await world.driver.updateLimits(free, callOptions);
    const freely = await rateOf(instance, 16 * mib, write(16));
    const gotFreely = await rateOf(instance, 16 * mib, read(16));
    const ratios = { write: freely / written, read: gotFreely / got, written: written / mib, got: got / mib };
    expect(ratios.written).toBeLessThan(3);
    expect(ratios.got).toBeLessThan(6);
    expect(ratios.write).toBeGreaterThan(3);
    expect(ratios.read).toBeGreaterThan(2);
  }, 300_000);
});

describe("the other limits of a container", () => {
  it("are changed while it runs: CPUs, memory, processes and the CPUs it may be on", async () => {
    const instance = limited(await world.define({}), { pids: 100 });
    await world.driver.create(instance, callOptions);
    const handle = await world.start(instance);
    const fork = "for n in $(seq 40); do sleep 5 & done 2>&1; wait";
    expect(await world.shell(instance, handle, fork)).toBe("");
    await world.driver.updateLimits(limited(instance, { pids: 20, cpuset: "0" }, { memoryMib: 48n }), callOptions);
    expect(await world.shell(instance, handle, fork)).toMatch(/can't fork|Resource temporarily unavailable/);
    const inside = "grep Cpus_allowed_list /proc/self/status";
    expect(await world.shell(instance, handle, inside)).toMatch(/:\s+0\n/);
    const [group] = await groupFiles(instance, ["memory.limit_in_bytes", "memory.max"]);
    expect(group).toBe(`${48 * mib}`);
    await world.driver.stop(instance, handle);
  }, 120_000);

  it("end it with the limit told when its memory is too little", async () => {
    const defined = limited(await world.define({}), {}, { memoryMib: 24n });
    const command = ["/bin/sh", "-c", "sleep 1; x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo $x | wc -c"];
    const value = CrunOptions.fromPartial({ rootfs: "micro", command });
    const instance = { ...defined, spec: { ...defined.spec, driver: { $case: "crun" as const, value } } };
    await world.driver.create(instance, callOptions);
    const handle = await world.start(instance);
    await expect
      .poll(async () => (await world.driver.inspect(instance, handle, callOptions)).state, { timeout: 60_000 })
      .toBe("failed");
    const { reason, end } = await world.driver.inspect(instance, handle, callOptions);
    expect(reason).toContain("out of memory (OOM): it reached its limit of 24 MiB");
    expect(end).toMatchObject({ kind: "out-of-memory", limitMib: 24 });
  }, 120_000);
});

/** Those of the files of its control group that there are. */
async function groupFiles({ uid }: DriverInstance, names: readonly string[]): Promise<readonly string[]> {
  const places = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
  const paths = places.flatMap((place) => names.map((name) => `${place}/zor-${uid}/${name}`));
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
  return texts.map((text) => text.trim()).filter((text) => text !== "");
}
