import { describe, expect, it } from "vitest";
import { type MachinePlan, toArgv } from "../../../../../agent/drivers/qemu/argv.js";
import type { HardwarePlans } from "../../../../../agent/drivers/qemu/hardware/index.js";
import { knowsUdpSuperFrames } from "../../../../../agent/drivers/qemu/hardware/nics.js";
import { Disk } from "../../../../../proto/gen/zor/v1/qemu.js";

const kernel = { type: "kernel" as const, kernelFd: 3, initrdFd: 4, arguments: "console=ttyS0 a=1,b" };
const firmware = { type: "firmware" as const };
const hardware = {
  processors: { cpus: 2 },
  memory: { memoryMib: 256 },
  console: {},
  guestAgent: {},
  boot: kernel,
  rng: {},
  disks: [],
  nics: [],
} satisfies HardwarePlans;
const plan: MachinePlan = {
  id: "vm1",
  uuid: "11111111-2222-3333-4444-555555555555",
  machine: "q35",
  machineName: "",
  architecture: "x86_64",
  accelerator: "tcg",
  hardware,
};
/** The machine of the tests with other parts, or another one of that kind. */
const planWith = (parts: HardwarePlans, facts: Partial<MachinePlan> = {}): MachinePlan => ({
  ...plan,
  ...facts,
  hardware: { ...hardware, ...parts },
});
const nic = {
  address: "0000:00:08.0",
  mac: "02:00:00:00:00:01",
  mtu: 1500,
  model: "",
  queues: 1,
  fds: [5],
  vhostFds: [],
  withoutUso: false,
  bootIndex: undefined,
};
const diskAt = (deviceAddress: string) => ({
  disk: Disk.fromPartial({ image: "a.qcow2", deviceAddress }),
  layers: [{ set: 7, format: "qcow2" as const }],
  bootIndex: undefined,
});
const disk = diskAt("0000:00:10.0");

/** The values of one option, in order. */
function valuesOf(argv: readonly string[], option: string): string[] {
  return argv.flatMap((word, index) => (argv[index - 1] === option ? [word] : []));
}

describe("the arguments of QEMU", () => {
  it.each<[string, HardwarePlans & Partial<MachinePlan>, string, readonly string[]]>([
    ["the name", {}, "-name", ["guest=vm1"]],
    ["the UUID by which it is found again", {}, "-uuid", [plan.uuid]],
    ["CPUs", {}, "-smp", ["cpus=2"]],
    ["memory", {}, "-m", ["size=256M"]],
    ["q35", {}, "-machine", ["q35"]],
    ["an old PC", { machine: "pc" }, "-machine", ["pc"]],
    ["microvm", { machine: "microvm" }, "-machine", ["microvm,rtc=on"]],
    ["firmware on the serial line when a disk is booted", { boot: firmware }, "-machine", ["q35,graphics=off"]],
    ["emulation", {}, "-accel", ["tcg,thread=multi,tb-size=64"]],
    ["KVM", { accelerator: "kvm" }, "-accel", ["kvm"]],
    ["the CPU under emulation", {}, "-cpu", ["max"]],
    ["the CPU under KVM", { accelerator: "kvm" }, "-cpu", ["host"]],
    ["the kernel by descriptor", {}, "-kernel", ["/proc/self/fd/3"]],
    ["the initial ram disk by descriptor", {}, "-initrd", ["/proc/self/fd/4"]],
    ["no initial ram disk", { boot: { ...kernel, initrdFd: undefined } }, "-initrd", []],
    ["the kernel's arguments as one word", {}, "-append", ["console=ttyS0 a=1,b"]],
    ["no kernel when a disk is booted", { boot: firmware }, "-kernel", []],
    ["seccomp", {}, "-sandbox", ["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]],
    ["the display", {}, "-display", ["none"]],
    ["a tap by descriptor", { nics: [nic] }, "-netdev", ["tap,id=net0,fd=5,vhost=off"]],
    [
      "a tap with the kernel's backend",
      { nics: [{ ...nic, vhostFds: [6] }] },
      "-netdev",
      ["tap,id=net0,fd=5,vhost=on,vhostfd=6"],
    ],
  ])("tell %s", (_what, change, option, expected) => {
    expect(valuesOf(toArgv(planWith(change, change)), option)).toEqual(expected);
  });

  it.each([
    [false, ""],
    [true, ",host_uso=off"],
  ])("keep UDP super-frames from a switch that would lose them: %s", (withoutUso, expected) => {
    const addressOf = { q35: nic.address, microvm: "virtio-mmio-bus.22" };
    for (const machine of ["q35", "microvm"] as const) {
      const devices = valuesOf(
        toArgv(planWith({ nics: [{ ...nic, address: addressOf[machine], withoutUso }] }, { machine })),
        "-device",
      );
      const [device = ""] = devices.filter((each) => each.startsWith("virtio-net"));
      expect(device).toContain(`,host_mtu=1500${expected}`);
      expect(device.includes("host_uso")).toBe(withoutUso);
    }
  });

  it.each([
    ["7.2.22", false],
    ["8.1.5", false],
    ["8.2", true],
    ["8.2.0", true],
    ["9.0.1", true],
    ["10.0", true],
    ["", false],
  ])("of QEMU %s may name the property for them: %s", (version, expected) => {
    expect(knowsUdpSuperFrames(version)).toBe(expected);
  });

  it("hold no listener but unix sockets in the working directory", () => {
    const argv = toArgv(planWith({ nics: [nic] }));
    const sockets = valuesOf(argv, "-chardev");
    expect(sockets).toHaveLength(3);
    for (const socket of sockets) expect(socket).toMatch(/^socket,id=\w+,path=\w+,server=on,wait=off$/);
    expect(argv.join(" ")).not.toMatch(/tcp|[, ]host=|port=|vnc|spice|-gdb|-s /);
  });

  it("start with nothing that was not asked for, and CPUs stopped", () => {
    expect(toArgv(plan)).toEqual(expect.arrayContaining(["-nodefaults", "-no-user-config", "-S"]));
  });

  it("name every layer of a disk with its format, each over the one below", () => {
    const disks = [
      {
        ...disk,
        layers: [
          { set: 7, format: "qcow2" as const },
          { set: 8, format: "qcow2" as const },
          { set: 9, format: "raw" as const },
        ],
      },
    ];
    const argv = toArgv(planWith({ disks }));
    expect(valuesOf(argv, "-add-fd")).toEqual(["fd=9,set=9", "fd=8,set=8", "fd=7,set=7"]);
    expect(valuesOf(argv, "-blockdev").map((node) => JSON.parse(node))).toEqual([
      {
        driver: "raw",
        "node-name": "disk0base2",
        "read-only": true,
        file: { driver: "file", filename: "/dev/fdset/9", "read-only": true },
      },
      {
        driver: "qcow2",
        "node-name": "disk0base1",
        "read-only": true,
        backing: "disk0base2",
        file: { driver: "file", filename: "/dev/fdset/8", "read-only": true },
      },
      {
        driver: "qcow2",
        "node-name": "disk0",
        "read-only": false,
        backing: "disk0base1",
        discard: "unmap",
        file: { driver: "file", filename: "/dev/fdset/7", "read-only": false },
      },
    ]);
    expect(valuesOf(argv, "-device").filter((device) => device.startsWith("virtio-blk"))).toEqual([
      expect.stringContaining("drive=disk0,"),
    ]);
  });

  it("tell qcow2 without a backing file that it has none, whatever its header says", () => {
    const argv = toArgv(planWith({ disks: [disk] }));
    expect(valuesOf(argv, "-blockdev").map((node) => JSON.parse(node))).toMatchObject([{ backing: null }]);
  });

  it("put each device at its recorded address, the first of a slot with word of others", () => {
    const argv = toArgv(
      planWith({
        disks: [diskAt("0000:00:10.1")],
        nics: [nic, { ...nic, address: "0000:00:0a.3" }],
      }),
    );
    const places = valuesOf(argv, "-device").flatMap(
      (device) => /^([\w-]+),.*?,(addr=.*)$/.exec(device)?.slice(1) ?? [],
    );
    expect(places).toEqual([
      ...["virtio-serial-pci", "addr=2.0,multifunction=on"],
      ...["virtio-rng-pci", "addr=2.1"],
      // Without function 0 a guest does not look for the others.
      ...["pci-testdev", "addr=10.0,multifunction=on"],
      ...["virtio-blk-pci", "addr=10.1"],
      ...["pci-testdev", "addr=a.0,multifunction=on"],
      ...["virtio-net-pci", "addr=8.0,multifunction=on"],
      ...["virtio-net-pci", "addr=a.3"],
    ]);
    expect(argv.join(" ")).toContain("virtserialport,id=qgaport,bus=serial.0,nr=1,");
  });

  it.each(["", "8.0", "0000:00:08.8", "0000:01:08.0", "0000:00:08.0,x=y", "virtio-mmio-bus.24"])(
    "are not made with the damaged address %j",
    (address) => {
      expect(() => toArgv(planWith({ nics: [{ ...nic, address }] }))).toThrow(/is damaged; delete the instance/);
    },
  );

  it("boot from the disk that the firmware is to look at", () => {
    const argv = toArgv(planWith({ boot: firmware, disks: [{ ...disk, bootIndex: 0 }, disk] }));
    const looked = valuesOf(argv, "-device").flatMap(
      (device) => /drive=(disk\d).*,bootindex=0,/.exec(device)?.[1] ?? [],
    );
    expect(looked).toEqual(["disk0"]);
    expect(valuesOf(argv, "-boot")).toEqual(["strict=on"]);
  });

  it("use no PCI on a microvm", () => {
    const argv = toArgv(
      planWith(
        {
          nics: [{ ...nic, address: "virtio-mmio-bus.22" }],
          disks: [diskAt("virtio-mmio-bus.7")],
        },
        { machine: "microvm" },
      ),
    );
    const devices = valuesOf(argv, "-device");
    expect(devices.join(" ")).not.toMatch(/-pci|addr=/);
    expect(devices.flatMap((device) => /,bus=virtio-mmio-bus\.(\d+)$/.exec(device)?.[1] ?? [])).toEqual([
      "23",
      "7",
      "22",
    ]);
  });
});
