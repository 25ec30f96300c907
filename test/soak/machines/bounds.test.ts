import { afterAll, beforeAll, expect, it } from "vitest";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

it("takes memory from a guest by its balloon, and gives it back", { timeout: 240_000 }, async () => {
  const memory = { balloon: true, balloonMib: 160n };
  const instance = await fixture.create({ kernel: "micro", memory }, [], { memoryMib: 256n });
  const handle = await fixture.start(instance);
  const hasMib = async () => (await fixture.driver.inspect(instance, handle, callOptions)).balloonMib;
  const freeMib = async () =>
    Number(await fixture.shell(instance, handle, "awk '/MemFree/ {print int($2 / 1024)}' /proc/meminfo"));
  await expect.poll(hasMib, { timeout: 60_000 }).toBe(160);
  const little = await freeMib();
  if (instance.spec.driver?.$case !== "qemu") throw new Error("not a machine");
  const { value } = instance.spec.driver;
  const after = {
    ...instance.spec,
    driver: { $case: "qemu" as const, value: { ...value, memory: { ...value.memory, balloonMib: 0n } as never } },
  };
  const paths = ["qemu.memory.balloon_mib"];
  const change = { before: instance.spec, after, paths, network: undefined };
  await fixture.driver.can.change?.applyChange(instance, handle, change, callOptions);
  await expect.poll(hasMib, { timeout: 60_000 }).toBe(256);
  expect(await freeMib()).toBeGreaterThan(little + 64);
});

it("bounds what a disk is read by", { timeout: 240_000 }, async () => {
  const disks = [
    { sizeMib: 64n, persistent: true },
    { sizeMib: 64n, persistent: true, limits: { bytesPerSecond: 2_000_000n } },
    { sizeMib: 64n, persistent: true, limits: { iops: 50n } },
  ];
  const instance = await fixture.create({ kernel: "micro", disks });
  const handle = await fixture.start(instance);
  /** Seconds by the guest's clock. */
  const secondsOf = async (disk: string, block: string, count: number): Promise<number> => {
    const script =
      "now() { cut -d' ' -f1 /proc/uptime; }; a=$(now); " +
      `dd if=/dev/${disk} of=/dev/null iflag=direct bs=${block} count=${count} 2>/dev/null; echo $a $(now)`;
    const [from = 0, to = 0] = (await fixture.shell(instance, handle, script)).trim().split(" ").map(Number);
    return Math.max(to - from, 0.01);
  };
  const free = await secondsOf("vda", "1M", 16);
  const bytes = await secondsOf("vdb", "1M", 16);
  const operations = await secondsOf("vdc", "4k", 400);
  const freeOperations = await secondsOf("vda", "4k", 400);
  console.log(
    `16 MiB: ${free.toFixed(2)} s, at 2 MB/s ${bytes.toFixed(2)} s (${(bytes / free).toFixed(0)} times); ` +
      `400 reads: ${freeOperations.toFixed(2)} s, at 50/s ${operations.toFixed(2)} s (${(operations / freeOperations).toFixed(0)} times)`,
  );
  // A bound is what it may not be faster than, less the burst that QEMU lets through: a tenth of a second, or what one order asks for.
  expect(bytes).toBeGreaterThan(6);
  expect(operations).toBeGreaterThan(6);
});
