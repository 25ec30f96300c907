import { describe, expect, it } from "vitest";
import { toArgv } from "../../../../../agent/drivers/qemu/argv.js";
import { checkHardware } from "../../../../../agent/drivers/qemu/hardware/index.js";
import { nicModels } from "../../../../../agent/drivers/qemu/hardware/nic-device.js";
import { machineTypeOf, placeDevices } from "../../../../../agent/drivers/qemu/placement.js";
import { InstanceSpec, Nic } from "../../../../../proto/gen/zor/v1/instance.js";
import { Disk, QemuOptions } from "../../../../../proto/gen/zor/v1/qemu.js";

type Wanted = Parameters<typeof QemuOptions.fromPartial>[0];

function specOf(wanted: Wanted, nics: readonly Parameters<typeof Nic.fromPartial>[0][] = [], cpus = 1): InstanceSpec {
  const value = QemuOptions.fromPartial({ kernel: "micro", ...wanted });
  return {
    ...InstanceSpec.fromPartial({ cpus }),
    nics: nics.map((nic, index) => Nic.fromPartial({ name: `eth${index}`, ...nic })),
    driver: { $case: "qemu", value },
  };
}

const optionsOf = (spec: InstanceSpec): QemuOptions =>
  spec.driver?.$case === "qemu" ? spec.driver.value : QemuOptions.fromPartial({});

/** Devices of a placed spec, as QEMU is told. */
function devicesOf(wanted: Wanted, nics: readonly Parameters<typeof Nic.fromPartial>[0][] = []): string[] {
  const spec = placeDevices(specOf(wanted, nics), { isNew: true });
  const options = optionsOf(spec);
  const argv = toArgv({
    ...{
      id: "vm1",
      uuid: "u",
      machine: machineTypeOf(options),
      accelerator: "tcg" as const,
      architecture: "x86_64" as const,
      machineName: "",
    },
    hardware: {
      controllers: {
        buses: new Set([...options.disks, ...options.cdroms].map(({ bus }) => bus)),
        hotplugPorts: options.hotplugPorts ?? 0,
      },
      disks: options.disks.map((disk) => ({ disk, layers: [{ set: 7, format: "raw" }], bootIndex: undefined })),
      cdroms: options.cdroms.map((drive) => ({ drive, medium: drive.image === "" ? undefined : 8 })),
      nics: spec.nics.map(({ deviceAddress, model, queues }) => ({
        ...{ address: deviceAddress, model, mac: "02:00:00:00:00:01", mtu: 1500, queues: Math.max(1, queues) },
        ...{ fds: queues > 1 ? [5, 6] : [5], vhostFds: [], withoutUso: false, bootIndex: undefined },
      })),
    },
  } as Parameters<typeof toArgv>[0]);
  return argv.flatMap((word, index) => (["-device", "-netdev"].includes(argv[index - 1] ?? "") ? [word] : []));
}

describe("disks, drives and interfaces", () => {
  it.each<[string, Wanted, string]>([
    ["virtio", { disks: [{ serial: "a" }] }, "virtio-blk-pci,id=disk0,drive=disk0,serial=a,addr=10.0,multifunction=on"],
    ["nvme", { disks: [{ bus: "nvme" }] }, "nvme,id=disk0,drive=disk0,serial=disk0,addr=10.0,multifunction=on"],
    [
      "scsi, written through",
      { disks: [{ bus: "scsi", cache: "writethrough" }] },
      "scsi-hd,id=disk0,drive=disk0,serial=disk0,write-cache=off,bus=scsi.0,channel=0,scsi-id=0,lun=0",
    ],
    ["sata of q35", { disks: [{ bus: "sata" }] }, "ide-hd,id=disk0,drive=disk0,serial=disk0,bus=ide.0,unit=0"],
    [
      "sata of pc",
      { machine: "pc", disks: [{ bus: "sata" }] },
      "ide-hd,id=disk0,drive=disk0,serial=disk0,bus=sata.0,unit=0",
    ],
    [
      "the second place of ide",
      { machine: "pc", disks: [{ bus: "ide" }, { bus: "ide" }] },
      "ide-hd,id=disk1,drive=disk1,serial=disk1,bus=ide.0,unit=1",
    ],
    ["usb", { disks: [{ bus: "usb" }] }, "usb-storage,id=disk0,drive=disk0,serial=disk0,bus=usb.0,port=1"],
    [
      "a thread of its own",
      { disks: [{ iothread: true }] },
      "virtio-blk-pci,id=disk0,drive=disk0,serial=disk0,iothread=io-disk0,addr=10.0,multifunction=on",
    ],
    ["an empty drive", { cdroms: [{}] }, "ide-cd,id=cdrom0,bus=ide.0,unit=0"],
    [
      "a drive beside a disk",
      { disks: [{ bus: "sata" }], cdroms: [{ image: "a.iso" }] },
      "ide-cd,id=cdrom0,drive=cdrom0medium,bus=ide.1,unit=0",
    ],
    ["a drive on usb", { cdroms: [{ bus: "usb" }] }, "scsi-cd,id=cdrom0,bus=cdrom0bot.0,scsi-id=0,lun=0"],
    ["places for more", {}, "pcie-root-port,id=hot3,chassis=4,addr=1e.3"],
    ["places for more on pc", { machine: "pc" }, "pci-bridge,id=hot,chassis_nr=1,addr=1e.0,multifunction=on"],
  ])("are told to QEMU: %s", (_what, wanted, device) => {
    expect(devicesOf(wanted)).toContain(device);
  });

  it.each(nicModels.filter((model) => model !== "virtio"))("have interfaces of model %s", (model) => {
    expect(devicesOf({}, [{ model }])).toContain(
      `${model},id=nic0,netdev=net0,mac=02:00:00:00:00:01,romfile=,addr=8.0,multifunction=on`,
    );
  });

  it("have virtio interfaces of several queues", () => {
    expect(devicesOf({}, [{ queues: 2 }])).toEqual(
      expect.arrayContaining([
        "tap,id=net0,fds=5:6,vhost=off",
        "virtio-net-pci,id=nic0,netdev=net0,mac=02:00:00:00:00:01,host_mtu=1500,mq=on,vectors=6,romfile=,addr=8.0,multifunction=on",
      ]),
    );
  });

  it("leave 31 interfaces of mixed models where they are, whatever disks and drives are added", () => {
    const nics = Array.from({ length: 31 }, (_, index) => ({ model: nicModels[index % nicModels.length] ?? "" }));
    const buses = ["virtio", "scsi", "sata", "nvme", "usb"];
    const disks = Array.from({ length: 16 }, (_, index) => ({ sizeMib: 1n, bus: buses[index % buses.length] ?? "" }));
    const alone = placeDevices(specOf({}, nics), { isNew: true });
    const full = placeDevices(specOf({ disks, cdroms: [{}, {}], usb: { tablet: true } }, nics), { isNew: true });
    expect(full.nics).toEqual(alone.nics);
    const places = [...full.nics, ...optionsOf(full).disks, ...optionsOf(full).cdroms].map(
      (each) => each.deviceAddress,
    );
    expect(new Set(places).size).toBe(49);
    const order = full.nics.map(({ deviceAddress }) => deviceAddress);
    expect(order.slice(0, 5)).toEqual(["0000:00:08.0", "0000:00:08.1", "0000:00:08.2", "0000:00:08.3", "0000:00:09.0"]);
    // Guests look in the order of slots and functions.
    expect(order).toEqual(order.toSorted());
  });

  it("take the free places of a running machine, and the places of those that have gone", () => {
    const placed = placeDevices(specOf({ disks: [{ sizeMib: 1n }, { sizeMib: 1n }] }, [{}]), { isNew: true });
    const options = optionsOf(placed);
    const withDisks = (disks: readonly Disk[]): InstanceSpec => ({
      ...placed,
      driver: { $case: "qemu", value: { ...options, disks: [...disks] } },
    });
    const more = [...options.disks, Disk.fromPartial({}), Disk.fromPartial({ bus: "scsi" })];
    const live = optionsOf(placeDevices(withDisks(more), { isNew: false, isLive: true })).disks;
    expect(live.slice(2)).toMatchObject([
      { name: "disk2", deviceAddress: "0000:00:1e.0/00.0" },
      { name: "disk3", deviceAddress: "scsi.0:0" },
    ]);
    const others = optionsOf(placeDevices(withDisks([...live.slice(1), Disk.fromPartial({})]), { isNew: false })).disks;
    expect(others.map(({ name }) => name)).toEqual(["disk1", "disk2", "disk3", "disk4"]);
    expect(others.at(-1)?.deviceAddress).toBe(live[0]?.deviceAddress);
    const many = [...options.disks, ...Array.from({ length: 5 }, () => Disk.fromPartial({}))];
    expect(() => placeDevices(withDisks(many), { isNew: false, isLive: true })).toThrow(/4 places for disks are taken/);
  });

  it.each<[string, Wanted, readonly Parameters<typeof Nic.fromPartial>[0][], string, RegExp]>([
    ["an unknown bus", { disks: [{ image: "a", bus: "sc,si" }] }, [], "qemu.disks[0].bus", /is not known/],
    ["ide on q35", { disks: [{ image: "a", bus: "ide" }] }, [], "qemu.disks[0].bus", /q35 has none/],
    [
      "scsi on microvm",
      { machine: "microvm", disks: [{ image: "a", bus: "scsi" }] },
      [],
      "qemu.disks[0].bus",
      /microvm/,
    ],
    [
      "a serial number with a comma",
      { disks: [{ image: "a", serial: "x,id=y" }] },
      [],
      "qemu.disks[0].serial",
      /is not a serial/,
    ],
    [
      "a serial number twice",
      {
        disks: [
          { image: "a", serial: "x" },
          { image: "a", serial: "x" },
        ],
      },
      [],
      "qemu.disks[1].serial",
      /already used/,
    ],
    ["no image and no size", { disks: [{}] }, [], "qemu.disks[0].image", /empty disk/],
    ["a size of 1 PiB", { disks: [{ sizeMib: 2n ** 30n }] }, [], "qemu.disks[0].size_mib", /is not between/],
    ["native io through the cache", { disks: [{ image: "a", io: "native" }] }, [], "qemu.disks[0].io", /cache "none"/],
    [
      "only read on sata",
      { disks: [{ image: "a", bus: "sata", readOnly: true }] },
      [],
      "qemu.disks[0].read_only",
      /always be written/,
    ],
    [
      "a thread on nvme",
      { disks: [{ image: "a", bus: "nvme", iothread: true }] },
      [],
      "qemu.disks[0].iothread",
      /virtio/,
    ],
    [
      "bounds below zero",
      { disks: [{ image: "a", limits: { iops: -1n } }] },
      [],
      "qemu.disks[0].limits.iops",
      /is not between/,
    ],
    [
      "bounds of both and one",
      { disks: [{ image: "a", limits: { iops: 5n, readIops: 5n } }] },
      [],
      "qemu.disks[0].limits.iops",
      /does not go with/,
    ],
    ["a name of one's own", { disks: [{ image: "a", name: "../x" }] }, [], "qemu.disks[0].name", /leave it empty/],
    [
      "seven devices on sata",
      { disks: Array.from({ length: 7 }, () => ({ image: "a", bus: "sata" })) },
      [],
      "qemu.disks",
      /room for 6/,
    ],
    ["a drive on virtio", { cdroms: [{ bus: "virtio" }] }, [], "qemu.cdroms[0].bus", /has no drives/],
    ["five drives", { cdroms: [{}, {}, {}, {}, {}] }, [], "qemu.cdroms", /more than the 4/],
    ["five serial ports", { serialPorts: 5 }, [], "qemu.serial_ports", /1 to 4/],
    ["two serial ports of a microvm", { machine: "microvm", serialPorts: 2 }, [], "qemu.serial_ports", /has 1/],
    ["nine places for more", { hotplugPorts: 9 }, [], "qemu.hotplug_ports", /is not between/],
    ["an unknown controller of USB", { usb: { controller: "uhci" } }, [], "qemu.usb.controller", /neither/],
    ["an unknown model", {}, [{ model: "e1000,x=y" }], "nics[0].model", /is not known/],
    ["more queues than CPUs", {}, [{ queues: 2 }], "nics[0].queues", /more than the machine's CPUs/],
    ["queues of e1000", {}, [{ model: "e1000", queues: 2 }], "nics[0].queues", /must be 1/],
    ["e1000 in a microvm", { machine: "microvm" }, [{ model: "e1000" }], "nics[0].model", /virtio interfaces only/],
  ])("are refused with %s", (_what, wanted, nics, field, description) => {
    const spec = specOf(wanted, nics);
    expect(checkHardware({ spec, options: optionsOf(spec) })).toContainEqual({
      field: `instance.spec.${field}`,
      description: expect.stringMatching(description),
    });
  });
});
