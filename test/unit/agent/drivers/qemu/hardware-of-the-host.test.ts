import { expect, it } from "vitest";
import { type MachinePlan, toArgv } from "../../../../../agent/drivers/qemu/argv.js";
import type { HardwarePlans } from "../../../../../agent/drivers/qemu/hardware/index.js";
import { toVirtiofsd } from "../../../../../agent/drivers/qemu/hardware/virtiofs.js";

const plan: MachinePlan = {
  ...{ id: "vm1", uuid: "11111111-2222-3333-4444-555555555555" },
  ...{ machine: "q35", machineName: "", architecture: "x86_64", accelerator: "tcg", hardware: {} },
};

it.each<[string, HardwarePlans, string]>([
  [
    "USB devices of the host",
    { hostUsb: [7, 8] },
    "-add-fd fd=7,set=7 -device usb-host,id=hostusb0,hostdevice=/dev/fdset/7,bus=usb.0,port=11 " +
      "-add-fd fd=8,set=8 -device usb-host,id=hostusb1,hostdevice=/dev/fdset/8,bus=usb.0,port=12",
  ],
  [
    "directories over virtiofs",
    { virtiofs: [{ index: 1, tag: "lab" }] },
    "-chardev socket,id=share1,path=share1 " +
      "-device vhost-user-fs-pci,id=share1,chardev=share1,queue-size=1024,tag=lab,addr=1d.1",
  ],
  [
    "memory that programs beside QEMU reach",
    { memory: { memoryMib: 256, isShared: true } },
    "-m size=256M -object memory-backend-memfd,id=ram,size=256M,share=on",
  ],
])("the arguments of %s", (_what, hardware, expected) => {
  const argv = toArgv({ ...plan, hardware });
  expect(argv.join(" ")).toContain(expected);
});

it.each([
  ["/usr/libexec/virtiofsd", "--fd=3 --shared-dir=/proc/self/fd/4/. --sandbox=chroot --xattr"],
  ["/usr/lib/qemu/virtiofsd", "-f --fd=3 -o source=/proc/self/fd/4/.,sandbox=chroot,xattr"],
])("%s serves what it inherits", (program, argv) => {
  expect(toVirtiofsd(program)).toEqual({ tool: program, argv: argv.split(" ") });
});
