import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { callOptions, makeMachineFixture, type MachineFixture } from "./machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

/** How many threads of a process may run on these CPUs and no others. */
async function countPinned(pid: number, cpus: string): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    threads.map(async (thread) => {
      // Threads that wait for disks come and go.
      const status = await readFile(`/proc/${pid}/task/${thread}/status`, "utf8").catch(() => "");
      return /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1];
    }),
  );
  return lists.filter((list) => list === cpus).length;
}

/** Changes the size of a machine that runs; resolves to it as it then is. */
async function grow(
  instance: DriverInstance,
  handle: RecoveryHandle,
  size: Partial<Pick<InstanceSpec, "cpus" | "memoryMib">>,
): Promise<DriverInstance> {
  const after = { ...instance.spec, ...size };
  const change = { before: instance.spec, after, paths: ["cpus", "memory_mib"], network: undefined };
  await fixture.driver.can.change?.applyChange(instance, handle, change, callOptions);
  return { ...instance, spec: after };
}

/** Waits until the driver observes the end of an instance; resolves to why. */
async function waitForEnd(instance: DriverInstance, handle: RecoveryHandle): Promise<string> {
  return await expect
    .poll(async () => (await fixture.driver.inspect(instance, handle, callOptions)).state, { timeout: 90_000 })
    .toBe("failed")
    .then(async () => (await fixture.driver.inspect(instance, handle, callOptions)).reason);
}

describe("the hardware of a machine", () => {
  it("is what was asked for, seen from inside and from the host", async () => {
    const instance = await fixture.create(
      {
        kernel: "micro",
        machine: "pc-q35-7.0",
        processors: { sockets: 1, cores: 2, maxCpus: 2, model: "qemu64", features: ["+ssse3"], pin: "0" },
        memory: { balloon: true, merge: false, maxMib: 512n, slots: 1 },
        tpm: true,
        seed: { userData: "#cloud-config\nhostname: of-the-seed\n" },
        configDisk: {
          format: "fat",
          label: "DAY0",
          files: [{ name: "running.conf", content: Buffer.from("of-the-config") }],
        },
        smbios: { "system.manufacturer": "Zor, Inc.", "system.serial": "S-1" },
        display: "std",
        watchdog: { model: "i6300esb", action: "poweroff" },
        pvpanic: true,
      },
      [],
      { memoryMib: 192n },
    );
    const handle = await fixture.start(instance);
    const inside = (command: string) => fixture.shell(instance, handle, command);
    expect(await inside("cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_serial")).toBe("Zor, Inc.\nS-1\n");
    const memoryMib = async () => Math.round(Number(await inside("awk '/MemTotal/ {print $2}' /proc/meminfo")) / 1024);
    const atFirst = await memoryMib();
    const place = await fixture.driver.measured?.placeOf(instance, handle, callOptions);
    const readAvailable = async () => (place?.kind === "process" ? await place.readGuestAvailable?.() : undefined);
    const available = await expect
      .poll(readAvailable, { timeout: 60_000 })
      .toBeGreaterThan(2 ** 20)
      .then(readAvailable);
    expect(available).toBeLessThan(192 * 2 ** 20);
    const larger = await grow(instance, handle, { cpus: 2, memoryMib: 320n });
    expect((await memoryMib()) - atFirst).toBe(128);
    await expect(grow(larger, handle, { memoryMib: 448n })).rejects.toMatchObject({ reason: "NO_MEMORY_SLOT" });
    const suspending = { ...callOptions, progress: () => undefined };
    await expect(fixture.driver.can.suspend?.suspend(larger, handle, suspending)).rejects.toMatchObject({
      reason: "MEMORY_PLUGGED",
    });
    expect(await inside("grep -m1 'model name' /proc/cpuinfo; grep -c ^processor /proc/cpuinfo")).toMatch(
      /QEMU Virtual CPU.*\n2\n/,
    );
    expect(await inside("grep -m1 'cpu cores' /proc/cpuinfo; grep -o -m1 ssse3 /proc/cpuinfo")).toMatch(/: 2\nssse3\n/);
    expect(await inside("cat /sys/class/tpm/tpm0/tpm_version_major")).toBe("2\n");
    // The disks by their serial numbers; the micro image cannot mount them, so their content is read as it is.
    const disk = (serial: string) => `/dev/$(grep -l '^${serial}$' /sys/block/*/serial | cut -d/ -f4)`;
    expect(await inside(`dd if=${disk("seed")} bs=1 skip=32808 count=6 2>/dev/null`)).toBe("cidata");
    expect(await inside(`grep -ac 'hostname: of-the-seed' ${disk("seed")}`)).toBe("1\n");
    expect(await inside(`grep -ac 'of-the-config' ${disk("config")}; grep -ac DAY0 ${disk("config")}`)).toMatch(
      /^1\n[12]\n$/,
    );
    expect(await inside(`dd if=/dev/zero of=${disk("seed")} count=1 2>&1 || true`)).toMatch(/not permitted|read-only/i);

    expect(await countPinned(handle.pid, "0")).toBe(2);
    expect((await stat(join(instance.directory, "run", "vnc"))).mode & 0o777).toBe(0o600);

    // The micro image has no driver for the watchdog: its registers are set by hand (a clock of 1 MHz; enable), and nobody feeds it.
    const config = "/sys/bus/pci/devices/0000:00:19.0/config";
    await inside(`printf '\\007\\000' | dd of=${config} bs=2 seek=48 conv=notrunc 2>/dev/null`);
    await inside(`printf '\\002' | dd of=${config} bs=1 seek=104 conv=notrunc 2>/dev/null`);
    expect(await waitForEnd(instance, handle)).toContain("watchdog");
  });
});
