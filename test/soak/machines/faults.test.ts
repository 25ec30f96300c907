import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RecoveryHandle } from "../../../agent/drivers/driver.js";
import { messageOf } from "../../../lib/errors.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "../../integration/qemu/machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

const hugePagesPath = "/proc/sys/vm/nr_hugepages";

/** Why the host refuses a machine. */
async function refusalOf(options: Parameters<MachineFixture["create"]>[0]): Promise<string> {
  return await fixture.create({ kernel: "micro", ...options }).then(
    () => "it was made",
    (error: unknown) => messageOf(error),
  );
}

describe("a machine that the host cannot give what it asks for", () => {
  it.each<[string, Parameters<MachineFixture["create"]>[0], RegExp]>([
    ["an unknown model", { processors: { model: "Zx-81" } }, /processors\.model.*"Zx-81" is no model/],
    ["an unknown feature", { processors: { features: ["+zx81"] } }, /processors\.features\[0\].*"zx81" is no feature/],
    ["a CPU that is not there", { processors: { pin: "4000" } }, /processors\.pin.*no CPU 4000/],
    ["arguments of QEMU", { extraArguments: ["-s"] }, /extra_arguments.*qemuArguments/],
    ["a USB device of the host", { usb: { hostDevices: ["046d:c52b"] } }, /usb\.host_devices.*usbDevices/],
    ["a device of the host", { hostDevices: ["0000:00:02.0"] }, /host_devices.*pciDevices/],
  ])("is refused for %s, and it is said why", async (_what, options, message) => {
    expect(await refusalOf(options)).toMatch(message);
  });

  it.each<[string, Parameters<MachineFixture["create"]>[0], RegExp]>([
    ["a TPM", { tpm: true }, /apt-get install swtpm/],
    [
      "an ISO image",
      { configDisk: { format: "iso", files: [{ name: "day0.cfg", content: Buffer.from("a") }] } },
      /apt-get install xorriso/,
    ],
  ])("says which package to install for %s where its tool does not work", async (_what, options, message) => {
    const { PATH } = process.env;
    const tools = join(fixture.imageDirectory, "..", "tools");
    await mkdir(tools, { recursive: true });
    // The agent looks where Debian has its tools whatever its PATH says: one that fails is found before them.
    for (const tool of ["swtpm", "xorriso"])
      await writeFile(join(tools, tool), "#!/bin/sh\nexit 127\n", { mode: 0o755 });
    process.env["PATH"] = `${tools}:${PATH}`;
    try {
      // What a start needs alone is looked for then.
      const refusal = await fixture
        .create({ kernel: "micro", ...options })
        .then(async (instance) => fixture.driver.start(instance, await fixture.networkOf(instance), callOptions))
        .then(
          () => "it runs",
          (error: unknown) => messageOf(error),
        );
      expect(refusal).toMatch(message);
    } finally {
      process.env["PATH"] = PATH;
    }
  });
});

describe("a machine with a USB device of the host", () => {
  it("is not started while the device is not plugged in, and it is said what to do", async () => {
    const policy = { qemuArguments: false, pciDevices: [], usbDevices: ["dead:beef", "99-1"], shares: [] };
    await using host = await makeMachineFixture(policy);
    for (const device of policy.usbDevices) {
      const instance = await host.create({ kernel: "micro", usb: { hostDevices: [device] } });
      const started = host.driver.start(instance, await host.networkOf(instance), callOptions);
      await expect(started).rejects.toThrow(new RegExp(`USB device ${device} .*not plugged in`));
    }
  });
});

describe("a machine with a TPM", () => {
  it("says that the TPM is lost, also to the agent's next life", { timeout: 120_000 }, async () => {
    const instance = await fixture.create({ kernel: "micro", tpm: true });
    const handle = await fixture.start(instance);
    const driver = await fixture.nextDriver();
    expect(await driver.recover(instance, handle, callOptions)).toMatchObject({ pid: handle.pid });
    expect(await driver.inspect(instance, handle, callOptions)).toMatchObject({ state: "running", reason: "" });
    const { pid } = JSON.parse(await readFile(join(instance.directory, "tpm.json"), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    await expect
      .poll(async () => (await driver.inspect(instance, handle, callOptions)).reason, { timeout: 10_000 })
      .toContain("swtpm");
    const told = driver.events(AbortSignal.timeout(10_000));
    for await (const event of told) if (event.type === "hardware-lost") break;
    await driver.stop(instance, handle, callOptions);
  });
});

describe("the state of a TPM", () => {
  it("is kept over restarts of the machine and of the agent, and of a TPM that was killed", {
    timeout: 240_000,
  }, async () => {
    const instance = await fixture.create({ kernel: "micro", tpm: true });
    /** How often the TPM has been switched on, as it counts itself (TPM2_ReadClock, resetCount). */
    const resets = async (handle: RecoveryHandle): Promise<number> => {
      const command =
        "exec 3<>/dev/tpm0; printf '\\200\\001\\000\\000\\000\\012\\000\\000\\001\\201' >&3; dd bs=64 count=1 <&3 2>/dev/null | od -An -v -tx1";
      const answer = (await fixture.shell(instance, handle, command)).replace(/\s+/g, "");
      expect(answer.slice(12, 20)).toBe("00000000");
      return Number.parseInt(answer.slice(52, 60), 16);
    };
    const answers = async (handle: RecoveryHandle) =>
      await expect
        .poll(async () => (await fixture.driver.inspect(instance, handle, callOptions)).execReady, { timeout: 60_000 })
        .toBe(true);
    const boot = async () => {
      const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
      await answers(handle);
      return handle;
    };
    const first = await boot();
    const atFirst = await resets(first);
    const next = await fixture.nextDriver();
    await next.recover(instance, first, callOptions);
    await answers(first);
    expect(await resets(first)).toBe(atFirst);
    await next.stop(instance, first, callOptions);
    const second = await boot();
    // The firmware switches it on once more. A new one would count from the beginning.
    const atSecond = await resets(second);
    expect(atSecond).toBeGreaterThan(atFirst);
    const { pid } = JSON.parse(await readFile(join(instance.directory, "tpm.json"), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    await expect
      .poll(async () => (await fixture.driver.inspect(instance, second, callOptions)).reason)
      .toContain("swtpm");
    await fixture.driver.stop(instance, second, callOptions);
    const third = await boot();
    expect(await resets(third)).toBeGreaterThan(atSecond);
    await fixture.driver.stop(instance, third, callOptions);
  });
});

describe("a machine of huge pages", () => {
  it("is refused at its start without them, and made of them where they are", { timeout: 120_000 }, async () => {
    const before = await readFile(hugePagesPath, "utf8");
    const instance = await fixture.create({ kernel: "micro", memory: { hugepages: true } });
    try {
      await writeFile(hugePagesPath, "0");
      const network = await fixture.networkOf(instance);
      await expect(fixture.driver.start(instance, network, callOptions)).rejects.toThrow(/64 huge pages.*0 free/);
      await writeFile(hugePagesPath, "80");
      const handle = await fixture.start(instance);
      expect(await readFile(`/proc/${handle.pid}/smaps_rollup`, "utf8")).toMatch(
        /Private_Hugetlb:\s+131072 kB|Shared_Hugetlb:\s+131072 kB/,
      );
      await fixture.driver.stop(instance, handle, callOptions);
    } finally {
      await writeFile(hugePagesPath, before.trim());
    }
  });
});
