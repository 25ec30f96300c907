import { describe, expect, it } from "vitest";
import { type MachinePlan, toArgv } from "../../../../../agent/drivers/qemu/argv.js";
import { toCapabilities } from "../../../../../agent/drivers/qemu/capabilities.js";
import type { HardwarePlans } from "../../../../../agent/drivers/qemu/hardware/index.js";
import { checkQemuSpec } from "../../../../../agent/drivers/qemu/validate.js";
import { InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";
import { QemuOptions } from "../../../../../proto/gen/zor/v1/qemu.js";

type Options = Parameters<typeof QemuOptions.fromPartial>[0];

function problemsOf(options: Options): readonly (readonly [string, string])[] {
  const value = QemuOptions.fromPartial({ kernel: "micro", ...options });
  const spec = InstanceSpec.fromPartial({ cpus: 1, memoryMib: 128n, driver: { $case: "qemu", value } });
  return checkQemuSpec(spec).map(({ field, description }) => [field.replace("instance.spec.qemu.", ""), description]);
}

const usb = { controller: "", tablet: true, keyboard: true };
const hostDevices = (count: number) => Array.from({ length: count }, (_, index) => `1-${index + 1}`);

describe("SPICE of a machine", () => {
  it.each<[string, Options]>([
    ["of any display", { display: "cirrus", spice: {} }],
    ["on Arm", { architecture: "aarch64", display: "virtio", spice: { agent: true } }],
    ["with places for USB devices, without more of USB", { display: "qxl", spice: { usbRedirections: 4 } }],
    [
      "with as many as devices of the host leave",
      { display: "std", spice: { usbRedirections: 1 }, usb: { ...usb, hostDevices: hostDevices(4) } },
    ],
  ])("is good %s", (_what, options) => {
    expect(problemsOf(options)).toEqual([]);
  });

  it.each<[string, Options, string, RegExp]>([
    ["without a display", { spice: {} }, "spice", /qemu\.display to "qxl"/],
    ["of a microvm", { machine: "microvm", spice: {} }, "spice", /needs a screen/],
    ["with a negative number", { display: "std", spice: { usbRedirections: -1 } }, "usb", /not between 0 and 4/],
    ["with five places", { display: "std", spice: { usbRedirections: 5 } }, "usb", /not between 0 and 4/],
    [
      "with places on an ehci",
      { display: "std", spice: { usbRedirections: 1 }, usb: { controller: "ehci" } },
      "usb",
      /"xhci"/,
    ],
    [
      "with more than the host's devices leave",
      { display: "std", spice: { usbRedirections: 2 }, usb: { hostDevices: hostDevices(4) } },
      "usb",
      /2 and 4 of qemu\.usb\.host_devices are more than the 5 ports/,
    ],
  ])("is refused by name %s", (_what, options, field, description) => {
    const name = field === "usb" ? "spice.usb_redirections" : field;
    expect(problemsOf(options)).toEqual([[name, expect.stringMatching(description)]]);
  });

  const plan: MachinePlan = {
    ...{ id: "vm1", uuid: "11111111-2222-3333-4444-555555555555" },
    ...{ machine: "q35", machineName: "", architecture: "x86_64", accelerator: "tcg", hardware: {} },
  };
  const server = "-spice unix=on,addr=spice,disable-ticketing=on,disable-copy-paste=on,disable-agent-file-xfer=on";

  it.each<[string, HardwarePlans, string]>([
    ["the server alone", { spice: { usbRedirections: 0, agent: false } }, server],
    [
      "the guest's agent and USB, from the last port down",
      { spice: { usbRedirections: 2, agent: true } },
      `${server} -chardev spicevmc,id=vdagent,name=vdagent ` +
        "-device virtserialport,id=vdagentport,bus=serial.0,nr=2,chardev=vdagent,name=com.redhat.spice.0 " +
        "-chardev spicevmc,id=usbredir0,name=usbredir " +
        "-device usb-redir,id=usbredir0,chardev=usbredir0,bus=usb.0,port=15 " +
        "-chardev spicevmc,id=usbredir1,name=usbredir " +
        "-device usb-redir,id=usbredir1,chardev=usbredir1,bus=usb.0,port=14",
    ],
  ])("is, as arguments, %s", (_what, hardware, expected) => {
    const bare = toArgv(plan);
    expect(
      toArgv({ ...plan, hardware })
        .slice(bare.length)
        .join(" "),
    ).toBe(expected);
  });

  it("is among what the host can, with the package where it is missing", () => {
    const facts = {
      qemu: { version: "9.2" },
      missingTool: undefined,
      kvm: { works: true, reason: "" },
      microImage: undefined,
    };
    const spiceOf = (spiceProblem: string | undefined) =>
      toCapabilities({ ...facts, spiceProblem }).find(({ id }) => id === "driver.qemu.spice");
    expect(spiceOf(undefined)).toMatchObject({ available: true, reason: "" });
    expect(spiceOf("install x")).toMatchObject({ available: false, reason: "install x" });
  });
});
