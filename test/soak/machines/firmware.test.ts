import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { Firmware } from "../../../proto/gen/zor/v1/qemu.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

describe("the firmware of a machine", () => {
  it("has UEFI whose variables are kept", { timeout: 120_000 }, async () => {
    const instance = await fixture.create({ kernel: "micro", firmware: Firmware.FIRMWARE_UEFI }, [], {
      memoryMib: 256n,
    });
    /** How often the firmware has counted its starts in a variable. */
    const starts = async (): Promise<number> => {
      const handle = await fixture.start(instance);
      expect(await fixture.shell(instance, handle, "ls /sys/firmware/efi")).toContain("runtime");
      await fixture.driver.stop(instance, handle, callOptions);
      const raw = join(instance.directory, "variables.raw");
      await run("qemu-img", ["convert", "-O", "raw", join(instance.directory, "uefi-variables.qcow2"), raw]);
      return (await readFile(raw)).toString("latin1").split("M\0T\0C\0\0\0").length - 1;
    };
    const first = await starts();
    const second = await starts();
    expect(second).toBeGreaterThan(first);
    await fixture.nextDriver();
    expect(await starts()).toBeGreaterThan(second);
  });

  it("boots what is signed by a key of its own alone, when it is to", { timeout: 400_000 }, async () => {
    // Debian's kernel is a program of UEFI, signed by Debian and by none of the keys that PCs are sold with.
    const disk = join(fixture.imageDirectory, "efi.raw");
    await run("truncate", ["-s", "64M", disk]);
    await run("mformat", ["-i", disk, "-F", "::"]);
    await run("mmd", ["-i", disk, "::/EFI", "::/EFI/BOOT"]);
    await run("mcopy", ["-i", disk, "/var/lib/zor/images/micro/vmlinuz", "::/EFI/BOOT/BOOTX64.EFI"]);
    const words = async (secureBoot: boolean, awaited: RegExp): Promise<string> => {
      const options = { firmware: Firmware.FIRMWARE_UEFI, secureBoot, disks: [{ image: "efi.raw" }] };
      const instance = await fixture.create(options, [], { memoryMib: 256n });
      const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
      const said = await fixture.heard(instance, handle, awaited);
      await fixture.driver.stop(instance, handle, callOptions);
      return said;
    };
    expect(await words(true, /Access Denied|Security Violation/)).not.toContain("EFI stub");
    expect(await words(false, /EFI stub|starting Boot/)).not.toMatch(/Access Denied|Security Violation/);
  });

  it("boots from the network by what is in an interface", { timeout: 180_000 }, async () => {
    for (const model of ["virtio", "e1000"]) {
      const nic = Nic.fromPartial({ name: "eth0", mac: "02:00:00:00:09:01", model, lan: "lan1" });
      const instance = await fixture.create({ bootOrder: ["nics"] }, [nic], { memoryMib: 256n });
      const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
      const said = await fixture.heard(instance, handle, /Configuring \(net0/);
      expect(said).toMatch(/iPXE[\s\S]*net0: 02:00:00:00:09:01/);
      await fixture.driver.stop(instance, handle, callOptions);
    }
  });

  it("hears keys of its keyboard", { timeout: 180_000 }, async () => {
    await run("qemu-img", ["create", "-q", "-f", "qcow2", `${fixture.imageDirectory}/nothing.qcow2`, "8M"]);
    const instance = await fixture.create(
      { firmware: Firmware.FIRMWARE_UEFI, disks: [{ image: "nothing.qcow2" }] },
      [],
      { memoryMib: 256n },
    );
    const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
    await fixture.heard(instance, handle, /Shell>/);
    const keys = { keys: [], text: "set zor of-the-keys\nset\n" };
    await fixture.driver.can.keyboard?.sendKeys(instance, handle, keys, callOptions);
    expect(await fixture.heard(instance, handle, /zor = of-the-keys/)).toMatch(/zor = of-the-keys/);
  });
});
