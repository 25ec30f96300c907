import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChangesDevices } from "../../../agent/drivers/abilities/devices.js";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { run } from "../../../agent/host/exec.js";
import { type InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";
import { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import { eventually } from "../../helpers/eventually.js";
import { leftNetns } from "../../helpers/netns.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "./machine-fixture.js";

const mib = 1024 * 1024;

describe("a machine with disks on several buses, a drive and interfaces of several models", () => {
  let fixture: MachineFixture;
  let instance: DriverInstance;
  let handle: RecoveryHandle;
  const shell = (command: string) => fixture.shell(instance, handle, command);
  /** Serial numbers and sizes in sectors, as the guest finds them. */
  const seen = async () =>
    await shell(
      "for d in /sys/block/vd* /sys/block/nvme*; do " +
        "s=$(cat $d/serial 2>/dev/null || cat $d/device/serial); echo $s $(cat $d/size); done; " +
        "for d in /sys/block/sd*; do echo $(tail -c +5 $d/device/vpd_pg80) $(cat $d/size); done",
    );

  beforeAll(async () => {
    fixture = await makeMachineFixture();
    const file = (name: string) => join(fixture.imageDirectory, name);
    await run("qemu-img", ["create", "-q", "-f", "qcow2", file("a.qcow2"), "16M"]);
    await writeFile(file("b.raw"), Buffer.alloc(4 * mib, "image"));
    await writeFile(file("one.iso"), Buffer.alloc(mib, "first "));
    await writeFile(file("two.iso"), Buffer.alloc(2 * mib, "second"));
    const nics = ["", "e1000", "virtio", "vmxnet3", "rtl8139"].map((model, index) =>
      Nic.fromPartial({ name: `eth${index}`, mac: `02:00:00:00:04:0${index}`, model, lan: index === 2 ? "" : "lan1" }),
    );
    const disks = [
      { image: "a.qcow2", persistent: true, sizeMib: 32n, limits: { iops: 100n, writeBytesPerSecond: 5_000_000n } },
      { image: "b.raw", bus: "scsi", serial: "scsi-b", readOnly: true, cache: "none", io: "native" },
      { bus: "nvme", sizeMib: 24n, serial: "empty", format: "raw", persistent: true, cache: "writethrough" },
      { image: "a.qcow2", bus: "sata", serial: "sata-a", io: "io_uring" },
      { image: "a.qcow2", bus: "usb", serial: "usb-a", limits: { bytesPerSecond: 1_000_000n } },
    ];
    const cdroms = [{ image: "one.iso", bus: "scsi" }];
    instance = await fixture.create({ kernel: "micro", disks, cdroms, serialPorts: 3 }, nics);
    handle = await fixture.start(instance);
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
    expect(await leftNetns()).toEqual([]);
  });

  it("shows each disk under its serial number, in its size", async () => {
    const found = (await seen()).trim().split("\n");
    expect(found).toEqual(expect.arrayContaining(["disk0 65536", "empty 49152", "scsi-b 8192"]));
    expect(await shell("head -c 5 /dev/sda; (echo x > /dev/sda) 2>/dev/null || echo , read only")).toBe(
      "image, read only\n",
    );
  });

  it("has the guest see another medium, and none, unless it has locked the tray", async () => {
    const devices = fixture.driver.can.devices as ChangesDevices;
    const change = (image: string, force = false) =>
      devices.changeMedium(instance, { drive: "cdrom0", image, force }, callOptions);
    expect(await shell("head -c 5 /dev/sr0")).toBe("first");
    await change("two.iso");
    await eventually(async () => expect(await shell("head -c 6 /dev/sr0")).toBe("second"));
    await expect(change("a.qcow2")).rejects.toMatchObject({ message: expect.stringContaining("is a qcow2 disk") });
    // An open drive is locked (Linux, cdrom_open).
    await shell("exec 3< /dev/sr0; sleep 1000 > /dev/null & echo");
    await expect(change("one.iso")).rejects.toMatchObject({ reason: "TRAY_LOCKED" });
    expect(await shell("head -c 6 /dev/sr0")).toBe("second");
    await change("", true);
    await shell("killall sleep");
    await eventually(async () => expect(await shell("head -c 6 /dev/sr0 2>/dev/null || echo none")).toBe("none\n"));
    await change("one.iso");
    await eventually(async () => expect(await shell("head -c 5 /dev/sr0")).toBe("first"));
  });

  it("is given disks and interfaces while it runs, and loses them, and no other moves", async () => {
    const devices = fixture.driver.can.devices as ChangesDevices;
    const order = async () =>
      (await shell("for n in /sys/class/net/eth*; do echo $(basename $n) $(readlink -f $n/device); done")).trim();
    const before = await order();
    const disksBefore = await seen();
    const grown = withMore(instance.spec, {
      disks: [
        { image: "b.raw", serial: "plugged" },
        { bus: "scsi", sizeMib: 8n, serial: "scsi-new", persistent: true },
      ],
      nics: [Nic.fromPartial({ name: "late", mac: "02:00:00:00:04:10", lan: "lan1" })],
    });
    const next = { ...instance, spec: devices.placeLive(grown) };
    const network = await fixture.networkOf(next);
    await devices.plugDisk(next, { index: 5 }, callOptions);
    await devices.plugDisk(next, { index: 6 }, callOptions);
    await devices.plugNic(next, { index: 5, network }, callOptions);
    await eventually(async () => expect(await seen()).toMatch(/plugged 8192\n[\s\S]*scsi-new 16384/));
    await eventually(async () => expect(await shell("cat /sys/class/net/*/address")).toContain("02:00:00:00:04:10"));
    expect((await order()).split("\n")).toEqual(expect.arrayContaining(before.split("\n")));
    await devices.resizeDisk({ ...next, spec: withDisk(next.spec, 6, { sizeMib: 12n }) }, { index: 6 }, callOptions);
    await shell("for s in /sys/class/scsi_device/*/device/rescan; do echo 1 > $s; done");
    await eventually(async () => expect(await seen()).toContain("scsi-new 24576"));

    await devices.unplugNic(next, { index: 5 }, callOptions);
    for (const index of [5, 6]) await devices.unplugDisk(next, { index }, callOptions);
    // As often as one likes.
    await devices.unplugDisk(next, { index: 5 }, callOptions);
    await eventually(async () => expect(await seen()).toBe(disksBefore));
    expect(await order()).toBe(before);
    expect((await readdir(join(instance.directory, "disks"))).filter((name) => /disk[56]/.test(name))).toEqual([]);
    await expect(devices.unplugDisk(next, { index: 3 }, callOptions)).rejects.toMatchObject({
      reason: "NOT_PLUGGABLE",
    });
  });

  it("has serial ports with a history each, whose output nobody needs to read", async () => {
    const open = (port: number, replayBytes: number) =>
      fixture.driver.openConsole(instance, handle, { signal: callOptions.signal, port, replayBytes });
    // A machine that had to wait for a reader would not end this.
    await shell("for n in 1 2; do stty -F /dev/ttyS$n raw; seq 1 8000 > /dev/ttyS$n; echo port $n > /dev/ttyS$n; done");
    for (const port of [1, 2]) {
      await eventually(async () => {
        const stream = await open(port, 64);
        expect(Buffer.from(stream.replay).toString()).toMatch(new RegExp(`8000\\r?\\nport ${port}\\r?\\n$`));
        await stream.close();
      });
    }
    const stream = await open(1, 0);
    await shell("(head -n 1 /dev/ttyS1 > /tmp/heard) > /dev/null 2>&1 & echo");
    await eventually(async () => {
      await stream.write(Buffer.from("typed\n"));
      expect(await shell("cat /tmp/heard")).toContain("typed");
    });
    await stream.close();
    await expect(open(3, 0)).rejects.toThrow(/has the serial ports 0 to 2/);
  });

  it("shows carrier on what is in a lan and on nothing else, and within a second of a change", async () => {
    const carrier = async (index: number) =>
      (await shell(`ip link set eth${index} up; cat /sys/class/net/eth${index}/carrier`)).trim();
    await eventually(async () => expect([await carrier(0), await carrier(2)]).toEqual(["1", "0"]));
    for (const [index, up] of [
      [2, true],
      [0, false],
      [0, true],
    ] as const) {
      await fixture.driver.setCarrier(instance, handle, { index, up }, callOptions);
      await eventually(async () => expect(await carrier(index)).toBe(up ? "1" : "0"));
    }
  });
});

function withMore(
  spec: InstanceSpec,
  more: { readonly disks: Parameters<typeof Disk.fromPartial>[0][]; readonly nics: readonly Nic[] },
): InstanceSpec {
  if (spec.driver?.$case !== "qemu") throw new Error("not a machine");
  const disks = [...spec.driver.value.disks, ...more.disks.map((disk) => Disk.fromPartial(disk))];
  return {
    ...spec,
    nics: [...spec.nics, ...more.nics],
    driver: { $case: "qemu", value: { ...spec.driver.value, disks } },
  };
}

function withDisk(spec: InstanceSpec, index: number, change: Partial<Disk>): InstanceSpec {
  if (spec.driver?.$case !== "qemu") throw new Error("not a machine");
  const disks = spec.driver.value.disks.map((disk, at) => (at === index ? { ...disk, ...change } : disk));
  return { ...spec, driver: { $case: "qemu", value: { ...spec.driver.value, disks } } };
}
