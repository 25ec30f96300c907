import { expect, it } from "vitest";
import { nicModels } from "../../../../../agent/drivers/qemu/hardware/nic-device.js";
import { assertCanBoot, romOf } from "../../../../../agent/drivers/qemu/hardware/network-roms.js";
import { InstanceSpec, Nic } from "../../../../../proto/gen/zor/v1/instance.js";
import { QemuOptions } from "../../../../../proto/gen/zor/v1/qemu.js";

function asked(model: string, bootOrder: string[]) {
  const options = QemuOptions.fromPartial({ bootOrder });
  const nics = [Nic.fromPartial({ name: "eth0", model })];
  return {
    options,
    spec: { ...InstanceSpec.fromPartial({}), nics, driver: { $case: "qemu" as const, value: options } },
  };
}

it("knows what boots from each model but igb, which nothing boots from", () => {
  expect(nicModels.filter((model) => romOf(model) === undefined)).toEqual(["igb"]);
  expect(() => assertCanBoot(asked("igb", ["nics"]), () => true)).toThrow(/model igb; use "virtio"/);
});

it("names the file and the package when a machine is to boot from the network and the host has not got it", () => {
  expect(() => assertCanBoot(asked("", ["nics"]), () => false)).toThrow(
    /nics\[0\]: the host has not got efi-virtio\.rom.*apt-get install ipxe-qemu/,
  );
  expect(() => assertCanBoot(asked("", ["disks"]), () => false)).not.toThrow();
  expect(() => assertCanBoot(asked("e1000", ["nic0"]), (rom) => rom === "efi-e1000.rom")).not.toThrow();
});
