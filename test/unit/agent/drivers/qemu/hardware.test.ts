import { describe, expect, it } from "vitest";
import { type MachinePlan, toArgv } from "../../../../../agent/drivers/qemu/argv.js";
import type { HardwarePlans } from "../../../../../agent/drivers/qemu/hardware/index.js";
import { toSeedFiles } from "../../../../../agent/drivers/qemu/hardware/seed.js";
import { parseCpuHelp } from "../../../../../agent/drivers/qemu/qemu-names.js";
import { checkQemuSpec } from "../../../../../agent/drivers/qemu/validate.js";
import { InstanceSpec, Nic } from "../../../../../proto/gen/zor/v1/instance.js";
import { Disk, Firmware, QemuOptions } from "../../../../../proto/gen/zor/v1/qemu.js";

type Options = Parameters<typeof QemuOptions.fromPartial>[0];

function specOf(options: Options, rest: Partial<InstanceSpec> = {}): InstanceSpec {
  const value = QemuOptions.fromPartial({ kernel: "micro", ...options });
  return { ...InstanceSpec.fromPartial({}), cpus: 2, memoryMib: 256n, driver: { $case: "qemu", value }, ...rest };
}

const fromDisk: Options = { kernel: "", disks: [Disk.fromPartial({ image: "a.qcow2" })] };
const file = (name: string, size = 1) => ({ name, content: Buffer.alloc(size) });

describe("the hardware of a spec", () => {
  it.each<[string, InstanceSpec]>([
    ["a topology", specOf({ processors: { sockets: 1, cores: 2, threads: 1 } })],
    ["cores alone", specOf({ processors: { cores: 2 } })],
    ["room for more CPUs", specOf({ processors: { maxCpus: 8, sockets: 8 } })],
    ["a model with features", specOf({ processors: { model: "Skylake-Client-v1", features: ["+avx2", "-sse4.1"] } })],
    ["pinned CPUs", specOf({ processors: { pin: "0-3,8" } })],
    [
      "nodes",
      specOf({
        memory: {
          numa: [
            { cpus: "0", memoryMib: 128n },
            { cpus: "1", memoryMib: 128n },
          ],
        },
      }),
    ],
    ["room for more memory", specOf({ memory: { maxMib: 1024n, slots: 2 } })],
    ["a version of a machine", specOf({ machine: "pc-i440fx-6.2" })],
    ["another architecture", specOf({ architecture: "aarch64", machine: "virt" })],
    ["UEFI with secure boot", specOf({ ...fromDisk, firmware: Firmware.FIRMWARE_UEFI, secureBoot: true })],
    ["an order to boot in", specOf({ ...fromDisk, bootOrder: ["nics", "disk0"] }, { nics: [Nic.fromPartial({})] })],
    [
      "nothing but the network to boot from",
      specOf({ kernel: "", bootOrder: ["nic0"] }, { nics: [Nic.fromPartial({})] }),
    ],
    ["SMBIOS strings with commas", specOf({ smbios: { "system.product": "a,b=c" }, oemStrings: ["x,y"] })],
    ["the largest seed", specOf({ seed: { userData: "x".repeat(65_536) } })],
    ["a config disk", specOf({ configDisk: { label: "config-2", files: [file("iosxe_config.txt")] } })],
  ])("with %s is good", (_what, spec) => {
    expect(checkQemuSpec(spec)).toEqual([]);
  });

  it.each<[string, InstanceSpec, string]>([
    [
      "a topology that is another number of CPUs",
      specOf({ processors: { sockets: 2, cores: 2 } }),
      "processors.sockets",
    ],
    ["cores that do not divide the CPUs", specOf({ processors: { cores: 3 } }), "processors.cores"],
    ["a negative number of threads", specOf({ processors: { threads: -1 } }), "processors.threads"],
    ["an absurd number of sockets", specOf({ processors: { sockets: 2 ** 30 } }), "processors.sockets"],
    ["fewer CPUs at most than it has", specOf({ processors: { maxCpus: 1 } }), "processors.max_cpus"],
    ["properties in a model", specOf({ processors: { model: "qemu64,+vmx" } }), "processors.model"],
    ["an option as model", specOf({ processors: { model: "-x" } }), "processors.model"],
    ["a feature without a sign", specOf({ processors: { features: ["avx2"] } }), "processors.features[0]"],
    ["properties in a feature", specOf({ processors: { features: ["+avx2,x=y"] } }), "processors.features[0]"],
    ["65 features", specOf({ processors: { features: Array(65).fill("+avx2") } }), "processors.features"],
    ["a list of CPUs that is none", specOf({ processors: { pin: "0-3;x" } }), "processors.pin"],
    ["a list of CPUs that runs backwards", specOf({ processors: { pin: "3-0" } }), "processors.pin"],
    ["an endless list of CPUs", specOf({ processors: { pin: "0-99999999" } }), "processors.pin"],
    ["less memory at most than it has", specOf({ memory: { maxMib: 128n } }), "memory.max_mib"],
    ["slots for nothing", specOf({ memory: { slots: 4 } }), "memory.slots"],
    ["a negative number of slots", specOf({ memory: { maxMib: 512n, slots: -1 } }), "memory.slots"],
    [
      "a node twice",
      specOf({
        memory: {
          numa: [
            { cpus: "0-1", memoryMib: 128n },
            { cpus: "1", memoryMib: 128n },
          ],
        },
      }),
      "memory.numa[1].cpus",
    ],
    ["a CPU in no node", specOf({ memory: { numa: [{ cpus: "0", memoryMib: 256n }] } }), "memory.numa"],
    ["nodes with too little memory", specOf({ memory: { numa: [{ cpus: "0-1", memoryMib: 100n }] } }), "memory.numa"],
    [
      "a node without memory",
      specOf({ memory: { numa: [{ cpus: "0-1", memoryMib: 0n }] } }),
      "memory.numa[0].memory_mib",
    ],
    [
      "properties in a node",
      specOf({ memory: { numa: [{ cpus: "0,memdev=x", memoryMib: 256n }] } }),
      "memory.numa[0].cpus",
    ],
    ["an unknown architecture", specOf({ architecture: "riscv64" }), "architecture"],
    ["a machine of another architecture", specOf({ architecture: "aarch64", machine: "q35" }), "machine"],
    ["properties in a machine", specOf({ machine: "pc-q35-7.2,accel=kvm" }), "machine"],
    ["an unknown firmware", specOf({ firmware: Firmware.UNRECOGNIZED }), "firmware"],
    ["too little memory for UEFI", specOf({ firmware: Firmware.FIRMWARE_UEFI }, { memoryMib: 128n }), "memory_mib"],
    ["secure boot with a BIOS", specOf({ secureBoot: true }), "secure_boot"],
    [
      "secure boot of an old PC",
      specOf({ machine: "pc", firmware: Firmware.FIRMWARE_UEFI, secureBoot: true }),
      "secure_boot",
    ],
    ["BIOS for Arm", specOf({ architecture: "aarch64", firmware: Firmware.FIRMWARE_BIOS }), "firmware"],
    ["a boot order beside a kernel", specOf({ bootOrder: ["disks"] }), "boot_order"],
    ["a disk to boot from that is not there", specOf({ ...fromDisk, bootOrder: ["disk1"] }), "boot_order[0]"],
    ["no interfaces to boot from", specOf({ ...fromDisk, bootOrder: ["nics"] }), "boot_order[0]"],
    ["an unknown thing to boot from", specOf({ ...fromDisk, bootOrder: ["disk0,menu=on"] }), "boot_order[0]"],
    ["a disk to boot from twice", specOf({ ...fromDisk, bootOrder: ["disk0", "disk0"] }), "boot_order[1]"],
    ["a boot menu beside a kernel", specOf({ bootMenu: true }), "boot_menu"],
    ["too large a seed", specOf({ seed: { userData: "é".repeat(32_769) } }), "seed.user_data"],
    [
      "an unknown kind of config disk",
      specOf({ configDisk: { format: "ntfs", files: [file("a")] } }),
      "config_disk.format",
    ],
    ["a config disk without files", specOf({ configDisk: {} }), "config_disk.files"],
    ["a path as name", specOf({ configDisk: { files: [file("../a")] } }), "config_disk.files[0].name"],
    ["an option as name", specOf({ configDisk: { files: [file("-o")] } }), "config_disk.files[0].name"],
    ["a name twice", specOf({ configDisk: { files: [file("a"), file("A")] } }), "config_disk.files[1].name"],
    ["too large a file", specOf({ configDisk: { files: [file("a", 65_537)] } }), "config_disk.files[0].content"],
    [
      "too much in files",
      specOf({ configDisk: { files: Array.from({ length: 17 }, (_, i) => file(`f${i}`, 65_536)) } }),
      "config_disk.files",
    ],
    [
      "a label that is none",
      specOf({ configDisk: { format: "fat", label: "lower", files: [file("a")] } }),
      "config_disk.label",
    ],
    ["an unknown SMBIOS string", specOf({ smbios: { "system.uuid": "x" } }), "smbios"],
    ["a newline in an SMBIOS string", specOf({ smbios: { "system.product": "a\nb" } }), "smbios"],
    ["an endless SMBIOS string", specOf({ oemStrings: ["x".repeat(256)] }), "oem_strings[0]"],
    ["an unknown watchdog", specOf({ watchdog: { model: "iTCO" } }), "watchdog.model"],
    ["an unknown action", specOf({ watchdog: { action: "reset,panic=none" } }), "watchdog.action"],
    ["an unknown display", specOf({ display: "sdl" }), "display"],
    ["an inherited name as display", specOf({ display: "constructor" }), "display"],
    ["a display of x86 for Arm", specOf({ architecture: "aarch64", display: "std" }), "display"],
    ["a newline in an argument", specOf({ extraArguments: ["-name\n"] }), "extra_arguments[0]"],
    ["65 arguments", specOf({ extraArguments: Array(65).fill("-S") }), "extra_arguments"],
    ["a USB device that is none", specOf({ usb: { hostDevices: ["046d:c52b,x=y"] } }), "usb.host_devices[0]"],
    ["a USB device twice", specOf({ usb: { hostDevices: ["1-2", "1-2"] } }), "usb.host_devices[1]"],
    ["a USB device on ehci", specOf({ usb: { controller: "ehci", hostDevices: ["1-2"] } }), "usb.host_devices"],
    ["a share of no known type", specOf({ shares: [{ path: "/srv", tag: "a", type: "nfs" }] }), "shares[0].type"],
    ["a host device that is none", specOf({ hostDevices: ["0000:3b:00.0,x=y"] }), "host_devices[0]"],
    ["a share without a path", specOf({ shares: [{ tag: "a" }] }), "shares[0].path"],
    ["a relative path", specOf({ shares: [{ path: "srv", tag: "a" }] }), "shares[0].path"],
    ["a path that leads out", specOf({ shares: [{ path: "/srv/../etc", tag: "a" }] }), "shares[0].path"],
    ["a NUL in a path", specOf({ shares: [{ path: "/srv\0/a", tag: "a" }] }), "shares[0].path"],
    ["properties in a tag", specOf({ shares: [{ path: "/srv", tag: "a,x=y" }] }), "shares[0].tag"],
    ["too long a tag", specOf({ shares: [{ path: "/srv", tag: "a".repeat(32) }] }), "shares[0].tag"],
    [
      "a tag twice",
      specOf({
        shares: [
          { path: "/srv", tag: "a" },
          { path: "/opt", tag: "a" },
        ],
      }),
      "shares[1].tag",
    ],
    ["nine shares", specOf({ shares: Array(9).fill({ path: "/srv", tag: "a" }) }), "shares"],
    ["a host device twice", specOf({ hostDevices: ["0000:3b:00.0", "0000:3b:00.0"] }), "host_devices[1]"],
    ...(
      [
        ["CPUs to plug", { processors: { maxCpus: 4 } }, "processors.max_cpus"],
        ["memory to plug", { memory: { maxMib: 512n } }, "memory.max_mib"],
        ["a share", { shares: [{ path: "/srv", tag: "a" }] }, "shares"],
        ["a balloon", { memory: { balloon: true } }, "memory.balloon"],
        ["UEFI", { firmware: Firmware.FIRMWARE_UEFI }, "firmware"],
        ["a TPM", { tpm: true }, "tpm"],
        ["a seed", { seed: {} }, "seed"],
        ["a config disk", { configDisk: { files: [file("a")] } }, "config_disk"],
        ["SMBIOS strings", { oemStrings: ["a"] }, "smbios"],
        ["random numbers", { rng: true }, "rng"],
        ["a watchdog", { watchdog: {} }, "watchdog"],
        ["a panic device", { pvpanic: true }, "pvpanic"],
        ["a display", { display: "std" }, "display"],
        ["host devices", { hostDevices: ["0000:3b:00.0"] }, "host_devices"],
      ] as [string, Options, string][]
    ).map(([what, options, field]): [string, InstanceSpec, string] => [
      `${what} in a microvm`,
      specOf({ ...options, machine: "microvm" }),
      field,
    ]),
  ])("with %s is refused at the field", (_what, spec, field) => {
    const path = field === "memory_mib" ? field : `qemu.${field}`;
    expect(checkQemuSpec(spec)).toContainEqual({
      field: `instance.spec.${path}`,
      description: expect.stringMatching(/./),
    });
  });
});

const plan: MachinePlan = {
  ...{ id: "vm1", uuid: "11111111-2222-3333-4444-555555555555" },
  ...{ machine: "q35", machineName: "", architecture: "x86_64", accelerator: "tcg", hardware: {} },
};

/** What a part adds: the properties of the machine, of booting, and its arguments. */
function added(hardware: HardwarePlans, facts: Partial<MachinePlan> = {}): readonly string[] {
  const bare = toArgv({ ...plan, ...facts });
  const argv = toArgv({ ...plan, ...facts, hardware });
  const machine = argv[argv.indexOf("-machine") + 1] ?? "";
  const tail = argv.slice(bare.length);
  return machine === bare[bare.indexOf("-machine") + 1] ? tail : [machine, ...tail];
}

describe("the arguments of", () => {
  it.each<[string, HardwarePlans, Partial<MachinePlan>, string]>([
    [
      "processors",
      {
        processors: {
          cpus: 2,
          model: "qemu64",
          features: ["+ssse3", "-sse4.1"],
          topology: { sockets: 4, cores: 2, threads: 0 },
          maxCpus: 8,
        },
      },
      {},
      "-cpu qemu64,+ssse3,-sse4.1 -smp cpus=2,sockets=4,cores=2,maxcpus=8",
    ],
    [
      "nested machines under KVM",
      { processors: { cpus: 1, features: ["+vmx"] } },
      { accelerator: "kvm" },
      "-cpu host,+vmx -smp cpus=1",
    ],
    [
      "huge pages",
      { memory: { memoryMib: 256, hugePageKib: 2048, unmerged: true } },
      {},
      "q35,memory-backend=ram,mem-merge=off -m size=256M -object memory-backend-memfd,id=ram,size=256M,merge=off,prealloc=on,hugetlb=on,hugetlbsize=2048K",
    ],
    [
      "memory that is taken at once and can be more",
      { memory: { memoryMib: 256, preallocate: true, plug: { maxMib: 1024, slots: 4 } } },
      {},
      "q35,memory-backend=ram -m size=256M,slots=4,maxmem=1024M -object memory-backend-ram,id=ram,size=256M,prealloc=on",
    ],
    [
      "nodes",
      {
        memory: {
          memoryMib: 256,
          nodes: [
            { cpus: "0,2-3", memoryMib: 192 },
            { cpus: "1", memoryMib: 64 },
          ],
        },
      },
      {},
      "-m size=256M -object memory-backend-ram,id=ram0,size=192M -numa node,nodeid=0,cpus=0,cpus=2-3,memdev=ram0 " +
        "-object memory-backend-ram,id=ram1,size=64M -numa node,nodeid=1,cpus=1,memdev=ram1",
    ],
    [
      "a balloon",
      { balloon: {} },
      {},
      "-device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on,addr=18.0,multifunction=on",
    ],
    [
      "SMBIOS",
      {
        smbios: {
          strings: [
            ["bios.vendor", "a,b"],
            ["system.product", "x=y"],
            ["system.serial", "1"],
          ],
          oem: ["p,q", "r"],
        },
      },
      {},
      "-smbios type=0,vendor=a,,b -smbios type=1,product=x=y,serial=1 -smbios type=11,value=p,,q,value=r",
    ],
    [
      "a watchdog",
      { watchdog: { model: "i6300esb", action: "reset" } },
      {},
      "-device i6300esb,id=watchdog,addr=19.0,multifunction=on -action watchdog=reset",
    ],
    [
      "an ISA watchdog",
      { watchdog: { model: "ib700", action: "none" } },
      {},
      "-device ib700,id=watchdog -action watchdog=none",
    ],
    ["a panic device", { pvpanic: {} }, {}, "-device pvpanic"],
    [
      "a display",
      { display: { type: "qxl" } },
      {},
      "-device qxl-vga,id=display,addr=1a.0,multifunction=on -vnc unix:vnc,share=force-shared",
    ],
    [
      "a display on Arm",
      { display: { type: "virtio" } },
      { machine: "virt", architecture: "aarch64" },
      "-device virtio-gpu-pci,id=display,addr=1a.0,multifunction=on -device virtio-keyboard-pci -vnc unix:vnc,share=force-shared",
    ],
    [
      "a TPM",
      { tpm: 5 },
      {},
      "-chardev socket,id=tpm,fd=5 -tpmdev emulator,id=tpm,chardev=tpm -device tpm-crb,tpmdev=tpm",
    ],
    [
      "UEFI with secure boot",
      { firmware: { codeFd: 3, variablesFd: 4, secureBoot: true } },
      {},
      "q35,smm=on,pflash0=uefi-code,pflash1=uefi-variables -add-fd fd=3,set=3 -blockdev " +
        '{"driver":"raw","node-name":"uefi-code","read-only":true,"file":{"driver":"file","filename":"/dev/fdset/3","read-only":true}} ' +
        "-add-fd fd=4,set=4 -blockdev " +
        '{"driver":"qcow2","node-name":"uefi-variables","read-only":false,"file":{"driver":"file","filename":"/dev/fdset/4","read-only":false},"backing":null} ' +
        "-global driver=cfi.pflash01,property=secure,value=on -global ICH9-LPC.disable_s3=1",
    ],
    [
      "a seed",
      { seed: 6 },
      {},
      "-add-fd fd=6,set=6 -blockdev " +
        '{"driver":"raw","node-name":"seed","read-only":true,"file":{"driver":"file","filename":"/dev/fdset/6","read-only":true}} ' +
        "-device virtio-blk-pci,id=seed,drive=seed,serial=seed,addr=1b.0,multifunction=on",
    ],
    [
      "host devices",
      { hostDevices: ["0000:3b:00.0", "0000:3b:10.2"] },
      {},
      "-device vfio-pci,id=host0,host=0000:3b:00.0,addr=3.0,multifunction=on -device vfio-pci,id=host1,host=0000:3b:10.2,addr=3.1",
    ],
    ["more arguments", { extraArguments: ["-d", "int"] }, {}, "-d int"],
  ])("%s", (_what, hardware, facts, expected) => {
    expect(added(hardware, facts).join(" ")).toBe(expected);
  });

  it("a boot menu, and words of the firmware on the console where there is no screen", () => {
    const boot = { type: "firmware", menu: true } as const;
    expect(toArgv({ ...plan, hardware: { boot } }).join(" ")).toMatch(
      / -machine q35,graphics=off .* -boot strict=on,menu=on,splash-time=5000/,
    );
    expect(toArgv({ ...plan, hardware: { boot: { ...boot, hasDisplay: true } } }).join(" ")).toContain(
      " -machine q35 ",
    );
  });

  it.each([
    ["q35", "ide-cd,id=config,drive=config,serial=config,bus=ide.5"],
    ["pc", "ide-cd,id=config,drive=config,serial=config,bus=ide.1,unit=1"],
    ["virt", "virtio-blk-pci,id=config,drive=config,serial=config,addr=1c.0,multifunction=on"],
  ] as const)("a config disk of a %s put it where it moves nothing else", (machine, expected) => {
    expect(added({ configDisk: { format: "iso", fd: 7 } }, { machine }).at(-1)).toBe(expected);
  });
});

describe("a seed", () => {
  const instance = { uid: "u1", id: "vm1" };
  it("has an identity of its own unless it was given one, and no network configuration unless asked", () => {
    expect(toSeedFiles({ userData: "", metaData: "", networkConfig: "" }, instance)).toEqual([
      { name: "meta-data", content: "instance-id: u1\nlocal-hostname: vm1\n" },
      { name: "user-data", content: "#cloud-config\n{}\n" },
    ]);
    expect(toSeedFiles({ userData: "a", metaData: "b", networkConfig: "c" }, instance)).toEqual([
      { name: "meta-data", content: "b" },
      { name: "user-data", content: "a" },
      { name: "network-config", content: "c" },
    ]);
  });
});

describe("what QEMU says of processors", () => {
  it("is models and features by their names", () => {
    const help =
      "Available CPUs:\nx86 486                   (alias configured by machine type)\nx86 EPYC-v2               AMD\n" +
      "\nRecognized CPUID flags:\n  3dnow avx2\n  sse4.1\n";
    expect(parseCpuHelp(help)).toEqual({
      models: new Set(["486", "EPYC-v2"]),
      features: new Set(["3dnow", "avx2", "sse4.1"]),
    });
    expect(parseCpuHelp("Available CPUs:\n  a64fx\n  cortex-a57\n").models).toEqual(new Set(["a64fx", "cortex-a57"]));
  });
});
