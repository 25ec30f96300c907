import { expect } from "vitest";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { callOptions, type MachineFixture } from "./machine-fixture.js";

/** Demands that a running machine of a type finds each of so many interfaces and disks at the address that is recorded of it. */
export async function expectRecordedAddresses(
  fixture: MachineFixture,
  { machine, nics, disks }: { readonly machine: string; readonly nics: number; readonly disks: number },
): Promise<void> {
  const specs = Array.from({ length: nics }, (_, index) =>
    Nic.fromPartial({ name: `lan${index}`, mac: `02:00:00:00:03:${index.toString(16).padStart(2, "0")}` }),
  );
  const instance = await fixture.create(
    { kernel: "micro", machine, disks: Array.from({ length: disks }, () => ({ image: "b.raw" })) },
    specs,
  );
  const handle = await fixture.start(instance);
  const recordedDisks = instance.spec.driver?.$case === "qemu" ? instance.spec.driver.value.disks : [];
  const wanted = {
    nics: instance.spec.nics.map(({ mac, deviceAddress }) => `${mac} ${deviceAddress}`),
    disks: recordedDisks.map(({ deviceAddress }, index) => `disk${index} ${deviceAddress}`),
  };
  // A PCI address is the last part but one of the device's path; a bus of a microvm shows in the number of its interrupt.
  const where =
    machine === "microvm"
      ? `awk -v v=$(basename $(readlink -f $d/device)) '$NF ~ "^" v "(-|$)" { split($(NF-1), pin, "-"); print "virtio-mmio-bus." pin[1]; exit }' /proc/interrupts`
      : "basename $(dirname $(readlink -f $d/device))";
  const list = (kind: string, name: string) =>
    fixture.shell(instance, handle, `for d in /sys/class/${kind}; do echo $(cat $d/${name}) $(${where}); done`);
  const lines = (text: string) => text.trim().split("\n").sort();
  expect(lines(await list("net/lan*", "address"))).toEqual(wanted.nics.sort());
  expect(lines(await list("block/vd*", "serial"))).toEqual(wanted.disks.sort());
  await fixture.driver.stop(instance, handle, callOptions);
}
