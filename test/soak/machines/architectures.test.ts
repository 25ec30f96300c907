import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

it("starts the firmware of another architecture, which speaks on the console", { timeout: 180_000 }, async () => {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", `${fixture.imageDirectory}/empty.qcow2`, "8M"]);
  const instance = await fixture.create(
    { architecture: "aarch64", disks: [{ image: "empty.qcow2" }], processors: { model: "cortex-a57" }, tpm: true },
    [],
    { memoryMib: 512n },
  );
  const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
  // It has looked at the disk and found nothing on it.
  expect(await fixture.heard(instance, handle, /BdsDxe|UEFI Interactive Shell|Shell>/)).toMatch(/BdsDxe|Shell/);
});
