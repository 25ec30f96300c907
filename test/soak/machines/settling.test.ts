import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DriverInstance } from "../../../agent/drivers/driver.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import { eventually } from "../../helpers/eventually.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
  await writeFile(join(fixture.imageDirectory, "b.raw"), Buffer.alloc(4 << 20, "image"));
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

const nicOf = (index: number) => Nic.fromPartial({ name: `eth${index}`, mac: `02:00:00:00:06:0${index}`, lan: "lan1" });

/** The instance with a disk behind a port, one on scsi and an interface more, as a change of its running machine would have it. */
function grown(instance: DriverInstance): DriverInstance {
  const { spec } = instance;
  if (spec.driver?.$case !== "qemu") throw new Error("not a machine");
  const disks = [
    ...spec.driver.value.disks,
    Disk.fromPartial({ image: "b.raw", serial: "behind-port", persistent: true, iothread: true }),
    Disk.fromPartial({ sizeMib: 8n, bus: "scsi", serial: "on-scsi", persistent: true }),
  ];
  const value = { ...spec.driver.value, disks };
  const more = { ...spec, nics: [...spec.nics, nicOf(1)], driver: { $case: "qemu" as const, value } };
  const { devices } = fixture.driver.can;
  return { ...instance, spec: devices?.placeLive(more) ?? more };
}

it("is what its specification says after an agent was ended in the middle of a change", {
  timeout: 240_000,
}, async () => {
  const { devices } = fixture.driver.can;
  if (devices === undefined) throw new Error("no devices");
  const instance = await fixture.create({ kernel: "micro", disks: [{ image: "b.raw", bus: "scsi" }] }, [nicOf(0)]);
  const handle = await fixture.start(instance);
  const next = grown(instance);
  const network = await fixture.networkOf(next);
  const inside = async () =>
    await fixture.shell(
      next,
      handle,
      "cat /sys/class/net/eth*/address; cat /sys/block/vd*/serial 2>/dev/null; for d in /sys/block/sd*; do tail -c +5 $d/device/vpd_pg80; echo; done",
    );
  await eventually(async () => expect(await inside()).toContain("disk0"));
  const before = await inside();
  const plugAll = async () => {
    for (const index of [1, 2]) await fixture.driver.can.devices?.plugDisk(next, { index }, callOptions);
    await fixture.driver.can.devices?.plugNic(next, { index: 1, network }, callOptions);
    await eventually(async () => expect(await inside()).toMatch(/06:01[\s\S]*behind-port[\s\S]*on-scsi/));
  };
  /** The next agent finds the machine and the specification that was written down. */
  const adopt = async (written: DriverInstance) => {
    const driver = await fixture.nextDriver();
    expect(await driver.recover(written, handle, callOptions)).toMatchObject({ pid: handle.pid });
    await eventually(async () =>
      expect(await driver.inspect(written, handle, callOptions)).toMatchObject({ execReady: true }),
    );
    await driver.wiring?.connect(written, handle, await fixture.networkOf(written), callOptions);
  };

  // Ended before it had written down that there is more: nobody was told, so there is no more.
  await plugAll();
  await adopt(instance);
  await eventually(async () => expect(await inside()).toBe(before));
  // What the files of a change that was not written down hold is nobody's.
  await plugAll();
  const whole = await inside();

  // Ended before it had written down that there is less: there is not.
  const last = fixture.driver.can.devices;
  for (const index of [1, 2]) await last?.unplugDisk(next, { index, areFilesKept: true }, callOptions);
  await last?.unplugNic(next, { index: 1 }, callOptions);
  await eventually(async () => expect(await inside()).toBe(before));
  await adopt(next);
  await eventually(async () => expect((await inside()).split("\n").sort()).toEqual(whole.split("\n").sort()));

  // And one that was written down is left alone.
  await adopt(next);
  expect((await inside()).split("\n").sort()).toEqual(whole.split("\n").sort());
});
