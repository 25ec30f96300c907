import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { Firmware } from "../../../proto/gen/zor/v1/qemu.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

/** What a screen shows of it. */
function withoutEscapes(text: string): string {
  return text.replace(/\x1b\[[0-9;?=]*[A-Za-z]/g, "");
}

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
    expect(await starts()).toBeGreaterThan(first);
  });

  it("hears keys of its keyboard", { timeout: 180_000 }, async () => {
    await run("qemu-img", ["create", "-q", "-f", "qcow2", `${fixture.imageDirectory}/nothing.qcow2`, "8M"]);
    const instance = await fixture.create(
      { firmware: Firmware.FIRMWARE_UEFI, disks: [{ image: "nothing.qcow2" }] },
      [],
      { memoryMib: 256n },
    );
    const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
    const console = await fixture.driver.openConsole(instance, handle, { ...callOptions, replayBytes: 65_536 });
    let said = Buffer.from(console.replay).toString("latin1");
    let isTyped = false;
    for await (const output of console.output) {
      said += Buffer.from(output).toString("latin1");
      if (!isTyped && said.includes("Shell>")) {
        isTyped = true;
        await fixture.driver.can.keyboard?.sendKeys(
          instance,
          handle,
          { keys: [], text: "set zor of-the-keys\nset\n" },
          callOptions,
        );
      }
      if (/zor = of-the-keys/.test(withoutEscapes(said))) break;
    }
    expect(withoutEscapes(said)).toMatch(/zor = of-the-keys/);
    await console.close();
  });
});
