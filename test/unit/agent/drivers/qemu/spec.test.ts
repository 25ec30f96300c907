import { describe, expect, it } from "vitest";
import { toKernelArguments } from "../../../../../agent/drivers/qemu/kernel-arguments.js";
import { toObservedState } from "../../../../../agent/drivers/qemu/observed-state.js";
import { toUnprivileged, toUserId } from "../../../../../agent/drivers/qemu/privileges.js";
import { parseTscKhz } from "../../../../../agent/drivers/qemu/tsc.js";
import { toUuid } from "../../../../../agent/drivers/qemu/uuid.js";
import { checkQemuSpec } from "../../../../../agent/drivers/qemu/validate.js";
import { InstanceSpec, Nic } from "../../../../../proto/gen/zor/v1/instance.js";
import { Accelerator, Disk, QemuOptions } from "../../../../../proto/gen/zor/v1/qemu.js";

const nics = (count: number, addresses: string[] = []) =>
  Array.from({ length: count }, (_, index) => Nic.fromPartial({ name: `eth${index}`, addresses }));
const disks = (count: number) => Array.from({ length: count }, () => Disk.fromPartial({ image: "a.qcow2" }));

function specOf(
  options: Parameters<typeof QemuOptions.fromPartial>[0],
  rest: Partial<InstanceSpec> = {},
): InstanceSpec {
  const value = QemuOptions.fromPartial({ kernel: "micro", ...options });
  return { ...InstanceSpec.fromPartial({}), driver: { $case: "qemu", value }, ...rest };
}

describe("a spec of a machine", () => {
  it.each<[string, InstanceSpec]>([
    ["the built-in image and nothing else", specOf({})],
    ["a disk without a kernel", specOf({ kernel: "", disks: disks(1) })],
    ["as much as fits", specOf({ disks: disks(16) }, { cpus: 4, memoryMib: 8192n, nics: nics(31) })],
    ["a full microvm", specOf({ machine: "microvm", disks: disks(7) }, { nics: nics(15) })],
    ["a PC without PCI Express", specOf({ machine: "pc", disks: disks(16) }, { nics: nics(31) })],
    ["arguments with commas and quotes", specOf({ kernelArguments: 'a=1,b="c d" -x' })],
  ])("with %s is good", (_what, spec) => {
    expect(checkQemuSpec(spec)).toEqual([]);
  });

  it.each<[string, InstanceSpec, string]>([
    ["an unknown machine", specOf({ machine: "pc,accel=kvm" }), "qemu.machine"],
    ["an unknown accelerator", specOf({ accelerator: Accelerator.UNRECOGNIZED }), "qemu.accelerator"],
    ["nothing to boot", specOf({ kernel: "" }), "qemu.kernel"],
    ["a microvm that boots a disk", specOf({ kernel: "", machine: "microvm", disks: disks(1) }), "qemu.kernel"],
    ["an initial ram disk without a kernel", specOf({ kernel: "", initrd: "a", disks: disks(1) }), "qemu.initrd"],
    ["an initial ram disk beside the built-in one", specOf({ initrd: "a" }), "qemu.initrd"],
    [
      "arguments without a kernel",
      specOf({ kernel: "", kernelArguments: "a", disks: disks(1) }),
      "qemu.kernel_arguments",
    ],
    ["a newline in the arguments", specOf({ kernelArguments: "a\nb" }), "qemu.kernel_arguments"],
    ["NUL in the arguments", specOf({ kernelArguments: "a\0b" }), "qemu.kernel_arguments"],
    ["endless arguments", specOf({ kernelArguments: "a".repeat(1025) }), "qemu.kernel_arguments"],
    [
      "more addresses than a kernel takes",
      specOf({}, { nics: nics(31, ["10.0.0.1/24", "fd00::1:2:3:4/64"]) }),
      "qemu.kernel_arguments",
    ],
    ["17 disks", specOf({ disks: disks(17) }), "qemu.disks"],
    ["a negative size", specOf({ disks: [Disk.fromPartial({ image: "a", sizeMib: -1n })] }), "qemu.disks[0].size_mib"],
    [
      "an absurd size",
      specOf({ disks: [Disk.fromPartial({ image: "a", sizeMib: 2n ** 60n })] }),
      "qemu.disks[0].size_mib",
    ],
    ["32 interfaces", specOf({}, { nics: nics(32) }), "nics"],
    ["too many disks for a microvm", specOf({ machine: "microvm", disks: disks(8) }), "qemu.machine"],
    ["too many interfaces for a microvm", specOf({ machine: "microvm" }, { nics: nics(16) }), "qemu.machine"],
  ])("with %s is refused at the field", (_what, spec, field) => {
    expect(checkQemuSpec(spec)).toContainEqual({
      field: `instance.spec.${field}`,
      description: expect.stringMatching(/./),
    });
  });
});

describe("the kernel command line", () => {
  const input = { console: "ttyS0" as const, hostname: "vm1", nics: [], tscKhz: undefined, extra: "" };

  it("tells the guest its name and each interface by MAC address", () => {
    const eth0 = { nic: "eth0", mac: "02:00:00:00:00:01", mtu: 1400, addresses: ["10.0.0.1/24", "fd00::1/64"] };
    const eth1 = { nic: "eth1", mac: "02:00:00:00:00:02", mtu: 1500, addresses: [] };
    expect(toKernelArguments({ ...input, nics: [eth0, eth1] })).toBe(
      "console=ttyS0 panic=1 quiet zor.hostname=vm1 " +
        "zor.nic=02:00:00:00:00:01,eth0,1400,10.0.0.1/24;fd00::1/64 zor.nic=02:00:00:00:00:02,eth1,1500,",
    );
  });

  it("ends with the user's own words, so that they win", () => {
    expect(toKernelArguments({ ...input, tscKhz: 2_600_000, extra: "quiet=0 b" })).toMatch(
      / tsc_early_khz=2600000 quiet=0 b$/,
    );
  });
});

describe("the rate of the time stamp counter", () => {
  const cpuinfo = (model: string) => `processor\t: 0\nmodel name\t: ${model}\ncpu MHz\t\t: 1800.500\n`;
  it.each([
    ["the current one where nothing scales it", cpuinfo("AMD EPYC"), false, 1_800_500],
    ["the nominal one of the model where it is scaled", cpuinfo("Intel(R) Xeon(R) CPU @ 2.60GHz"), true, 2_600_000],
    ["unknown when scaled and not named", cpuinfo("AMD EPYC"), true, undefined],
    ["unknown on other processors", "", false, undefined],
  ])("is %s", (_what, text, scales, expected) => {
    expect(parseTscKhz(text, scales)).toBe(expected);
  });
});

describe("run states of QEMU", () => {
  it.each([
    ["running", "running"],
    ["paused", "paused"],
    ["prelaunch", "paused"],
    ["shutdown", "stopped"],
    ["io-error", "failed"],
    ["guest-panicked", "failed"],
    ["brand-new", "unknown"],
  ])("%s means %s", (runState, state) => {
    expect(toObservedState(runState).state).toBe(state);
  });
});

describe("the identity of a machine", () => {
  it("is the uid when that is a UUID, else derived from it, always the same and well formed", () => {
    const uuid = "08ec3d92-0f2a-48c4-8d82-d004cbb83598";
    expect(toUuid(uuid.toUpperCase())).toBe(uuid);
    expect(toUuid("vm-1")).toBe(toUuid("vm-1"));
    expect(toUuid("vm-1")).not.toBe(toUuid("vm-2"));
    expect(toUuid("vm-1")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("is a user of its own without groups, capabilities or a way to gain them", () => {
    const user = toUserId("a");
    expect(user).toBeGreaterThanOrEqual(1_900_000_000);
    expect(user).toBeLessThan(2 ** 31);
    expect(toUserId("b")).not.toBe(user);
    const { tool, argv } = toUnprivileged({ tool: "qemu-system-x86_64", argv: ["-x"] }, user, []);
    expect([tool, ...argv].join(" ")).toBe(
      `setpriv --reuid ${user} --regid ${user} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- qemu-system-x86_64 -x`,
    );
    expect(toUnprivileged({ tool: "x", argv: [] }, user, [108]).argv).toEqual(
      expect.arrayContaining(["--groups", "108"]),
    );
  });
});
