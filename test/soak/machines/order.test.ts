import { afterAll, beforeAll, expect, it } from "vitest";
import { nicModels } from "../../../agent/drivers/qemu/hardware/nic-device.js";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { run } from "../../../agent/host/exec.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import { eventually } from "../../helpers/eventually.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;
/** What this QEMU has: igb came with 8.0. */
let models: readonly string[];

beforeAll(async () => {
  fixture = await makeMachineFixture();
  const { stdout } = await run("qemu-system-x86_64", ["-device", "help"]);
  models = nicModels.filter((model) => model === "virtio" || stdout.includes(`name "${model}"`));
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

/** Models that the guest's kernel has a driver for. */
const driven = ["virtio", "vmxnet3"];
const macOf = (index: number) => `02:00:00:00:07:${index.toString(16).padStart(2, "0")}`;

/** "vendor:device" of all interfaces in the order in which a guest finds them, with the MAC address of those that it has a driver for. */
async function seen(instance: DriverInstance, handle: RecoveryHandle): Promise<string[]> {
  const script =
    "for d in /sys/bus/pci/devices/*; do case $(cat $d/class) in 0x0200*) " +
    "echo $(cat $d/vendor):$(cat $d/device) $(cat $d/net/*/address $d/virtio*/net/*/address 2>/dev/null);; esac; done";
  return (await fixture.shell(instance, handle, script)).trim().split("\n");
}

it("has 31 interfaces in the order of the specification, whatever else is added", { timeout: 600_000 }, async () => {
  const nics = Array.from({ length: 31 }, (_, index) =>
    Nic.fromPartial({
      ...{ name: `eth${index}`, mac: macOf(index), lan: index === 4 ? "" : "lan1" },
      // Every second one can tell its address.
      model: (index % 2 === 0 ? driven[(index / 2) % 2] : models[index % models.length]) ?? "",
    }),
  );
  const size = { memoryMib: 512n };
  const bare = await fixture.create({ kernel: "micro" }, nics, size);
  const first = await fixture.start(bare);
  const before = await seen(bare, first);
  expect(before).toHaveLength(31);
  const drivenAt = nics.flatMap(({ model }, index) => (driven.includes(model) ? [index] : []));
  for (const index of drivenAt) expect([index, before[index]?.split(" ")[1]]).toEqual([index, macOf(index)]);

  // What has no driver in this guest shows to QEMU alone.
  const { driver } = fixture;
  const carrier = async (index: number) => {
    const name = `$(basename $(dirname $(grep -l ${macOf(index)} /sys/class/net/*/address)))`;
    return (await fixture.shell(bare, first, `n=${name}; ip link set $n up; cat /sys/class/net/$n/carrier`)).trim();
  };
  await eventually(async () => expect([await carrier(0), await carrier(2), await carrier(4)]).toEqual(["1", "1", "0"]));
  for (const index of [2, 4])
    for (const up of [false, true]) {
      await driver.setCarrier(bare, first, { index, up }, callOptions);
      await eventually(async () => expect(await carrier(index)).toBe(up ? "1" : "0"));
    }
  for (const index of nics.keys()) await driver.setCarrier(bare, first, { index, up: index % 3 === 0 }, callOptions);
  await driver.stop(bare, first, callOptions);

  // Sixteen disks on all buses, a drive and more: over a restart, and with more parts than before.
  const buses = ["virtio", "scsi", "sata", "nvme", "usb"];
  const disks = Array.from({ length: 16 }, (_, index) =>
    Disk.fromPartial({ sizeMib: 1n, bus: buses[index % buses.length] ?? "" }),
  );
  const more = { kernel: "micro", disks, cdroms: [{ bus: "scsi" }], memory: { balloon: true }, display: "std" };
  const full = await fixture.create({ ...more, watchdog: { model: "i6300esb", action: "none" } }, nics, size);
  expect(full.spec.nics.map(({ deviceAddress }) => deviceAddress)).toEqual(
    bare.spec.nics.map(({ deviceAddress }) => deviceAddress),
  );
  for (let round = 0; round < 2; round += 1) {
    const handle = await fixture.start(full);
    expect(await seen(full, handle)).toEqual(before);
    await fixture.driver.stop(full, handle, callOptions);
  }

  // Without the first of a slot the others are still there, in their order.
  const fewer: DriverInstance = { ...full, spec: { ...full.spec, nics: full.spec.nics.slice(1) } };
  const handle = await fixture.start(fewer);
  expect(await seen(fewer, handle)).toEqual(before.slice(1));
  await fixture.driver.stop(fewer, handle, callOptions);
});
