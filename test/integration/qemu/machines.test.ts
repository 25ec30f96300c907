import { lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance } from "../../../agent/drivers/driver.js";
import { run } from "../../../agent/host/exec.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { eventually } from "../../helpers/eventually.js";
import { leftNetns } from "../../helpers/netns.js";
import { expectRecordedAddresses } from "./device-addresses.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "./machine-fixture.js";
import { MemoryGroup } from "./memory-group.js";

describe("QEMU machines", () => {
  let fixture: MachineFixture;

  beforeAll(async () => {
    fixture = await makeMachineFixture();
    await run("qemu-img", ["create", "-q", "-f", "qcow2", join(fixture.imageDirectory, "a.qcow2"), "16M"]);
    await writeFile(join(fixture.imageDirectory, "b.raw"), Buffer.alloc(4 * 1024 * 1024, "image"));
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
    expect(await leftNetns()).toEqual([]);
  });

  it("run as users of their own, without rights, under seccomp, with sockets that are nobody else's", async () => {
    const instance = await fixture.create({ kernel: "micro" });
    const handle = await fixture.start(instance);
    const facts = await readFile(`/proc/${handle.pid}/status`, "utf8");
    const fact = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(facts)?.[1]?.split(/\s+/)[0];
    expect(Number(fact("Uid"))).toBeGreaterThanOrEqual(1_900_000_000);
    expect(fact("Gid")).toBe(fact("Uid"));
    expect(fact("Groups")).toBe("");
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(fact(set)).toBe("0".repeat(16));
    expect(fact("NoNewPrivs")).toBe("1");
    expect(fact("Seccomp")).toBe("2");
    const runDirectory = join(instance.directory, "run");
    expect((await lstat(runDirectory)).mode & 0o777).toBe(0o700);
    const sockets = await readdir(runDirectory);
    expect(sockets.sort()).toEqual(["console", "qga", "qmp"]);
    for (const name of sockets) {
      const socket = await lstat(join(runDirectory, name));
      expect(socket.isSocket()).toBe(true);
      expect(socket.mode & 0o777).toBe(0o600);
    }
    const listening = await run("ss", ["-Htlnp"]);
    expect(listening.stdout).not.toContain(`pid=${handle.pid},`);
    await fixture.driver.stop(instance, handle, callOptions);
  });

  it("keep what they write to persistent disks over a stop, forget the rest, and never touch images", async () => {
    const images = ["a.qcow2", "b.raw"].map((name) => join(fixture.imageDirectory, name));
    const before = await Promise.all(images.map((path) => readFile(path)));
    const disks = [
      { image: "a.qcow2", persistent: true, sizeMib: 32n },
      { image: "b.raw", persistent: false, sizeMib: 0n },
    ];
    const instance = await fixture.create({ kernel: "micro", disks });
    const first = await fixture.start(instance);
    expect(await fixture.shell(instance, first, "cat /sys/block/vda/size /sys/block/vdb/size")).toBe("65536\n8192\n");
    expect(await fixture.shell(instance, first, "head -c 5 /dev/vdb")).toBe("image");
    await fixture.shell(instance, first, "printf kept > /dev/vda; printf gone! > /dev/vdb; sync");
    await fixture.driver.stop(instance, first, callOptions);
    const second = await fixture.start(instance);
    expect(await fixture.shell(instance, second, "head -c 4 /dev/vda; head -c 5 /dev/vdb")).toBe("keptimage");
    await fixture.driver.stop(instance, second, callOptions);
    const after = await Promise.all(images.map((path) => readFile(path)));
    expect(after.map((content, index) => before[index]?.equals(content))).toEqual([true, true]);
    await fixture.driver.destroy(instance, callOptions);
    expect(await readdir(instance.directory)).toEqual([]);
  });

  it("are refused a start when a persistent disk was replaced behind the agent's back", async () => {
    const instance = await fixture.create({ kernel: "micro", disks: [{ image: "a.qcow2", persistent: true }] });
    const overlay = join(instance.directory, "disks", "disk0.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/shadow", overlay, "16M"]);
    await expect(fixture.start(instance)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "DISK_DAMAGED",
    });
    expect(await fixture.driver.recover(instance, undefined, callOptions)).toBeUndefined();
  });

  it("get every interface under its name, with its address, in whatever order the kernel finds them", async () => {
    const nics = ["lan0", "eth1", "eth0"].map((name, index) =>
      Nic.fromPartial({
        name,
        mac: `02:00:00:00:01:0${index}`,
        addresses: [`10.98.${index}.2/24`, `fd00:${index + 1}::2/64`],
      }),
    );
    const instance = await fixture.create({ kernel: "micro" }, nics);
    const handle = await fixture.start(instance);
    const shown = await fixture.shell(
      instance,
      handle,
      "for n in lan0 eth1 eth0; do cat /sys/class/net/$n/address; ip -o addr show $n; done",
    );
    nics.forEach(({ mac }, index) => {
      expect(shown).toContain(mac);
      expect(shown).toContain(`10.98.${index}.2/24`);
      expect(shown).toContain(`fd00:${index + 1}::2/64`);
    });
    await fixture.driver.stop(instance, handle, callOptions);
  });

  it("of type pc have each of their interfaces and disks at its recorded address", async () => {
    await expectRecordedAddresses(fixture, { machine: "pc", nics: 2, disks: 9 });
  });

  it("boot as a microvm too, which shuts down when asked", async () => {
    const nic = Nic.fromPartial({ name: "eth0", mac: "02:00:00:00:02:01", addresses: ["10.97.0.2/24"] });
    const instance = await fixture.create({ kernel: "micro", machine: "microvm", disks: [{ image: "b.raw" }] }, [nic]);
    const handle = await fixture.start(instance);
    expect(await fixture.shell(instance, handle, "ip -o addr show eth0; head -c 5 /dev/vda")).toMatch(
      /10\.97\.0\.2[\s\S]*image$/,
    );
    await fixture.driver.requestShutdown(instance, handle, { ...callOptions, attempt: 0 });
    for await (const event of fixture.driver.events(AbortSignal.timeout(60_000))) {
      if (event.uid === instance.uid && event.type === "exited") break;
    }
    expect(await fixture.driver.inspect(instance, handle, callOptions)).toMatchObject({ state: "stopped", pid: 0 });
  });

  it("that are asked in vain for long may end by restarting", async () => {
    const instance = await fixture.create({ kernel: "micro" });
    const handle = await fixture.driver.start(instance, { netns: await anyNetns(), nics: [] }, callOptions);
    // Nobody hears this, or is told that nobody asks any more.
    await fixture.driver.requestShutdown(instance, handle, { ...callOptions, attempt: 8 });
    await fixture.driver.giveUpShutdown(instance, handle, callOptions);
    await fixture.driver.requestShutdown(instance, handle, { ...callOptions, attempt: 8 });
    for await (const event of fixture.driver.events(AbortSignal.timeout(60_000))) {
      if (event.uid !== instance.uid) continue;
      if (event.type === "exec-ready") void fixture.shell(instance, handle, "reboot -f").catch(() => undefined);
      if (event.type === "exited") break;
    }
    expect(await fixture.driver.inspect(instance, handle, callOptions)).toMatchObject({
      state: "stopped",
      reason: "the guest shut down",
    });
  });

  it("say that the kernel killed them for want of memory, and whose limit it was", async () => {
    const instance = await fixture.create({ kernel: "micro" });
    const handle = await fixture.driver.start(instance, { netns: await anyNetns(), nics: [] }, callOptions);
    // Booting takes more than that, and so does what one that has booted already writes.
    await using group = await MemoryGroup.make(12);
    await group.add(handle.pid);
    for await (const event of fixture.driver.events(AbortSignal.timeout(60_000))) {
      if (event.uid !== instance.uid) continue;
      if (event.type === "exited") break;
      if (event.type !== "exec-ready") continue;
      void fixture.shell(instance, handle, "dd if=/dev/zero of=/run/much bs=1M count=50").catch(() => undefined);
    }
    const { state, reason } = await fixture.driver.inspect(instance, handle, callOptions);
    expect(state).toBe("failed");
    expect(reason).toMatch(
      new RegExp(
        `killed QEMU for want of memory \\(signal 9.*: its control group ${group.name} reached its limit of 12 MiB; it held \\d+ MiB$`,
      ),
    );
  });

  it("show firmware on the console when their disk does not boot, and still run", async () => {
    const instance = await fixture.create({ disks: [{ image: "b.raw" }] });
    const handle = await fixture.driver.start(instance, { netns: await anyNetns(), nics: [] }, callOptions);
    const stream = await fixture.driver.openConsole(instance, handle, { ...callOptions, replayBytes: 65_536 });
    let seen = Buffer.from(stream.replay).toString();
    if (!seen.includes("SeaBIOS")) {
      for await (const chunk of stream.output) {
        seen += Buffer.from(chunk).toString();
        if (seen.includes("SeaBIOS")) break;
      }
    }
    expect(seen).toContain("SeaBIOS");
    await untilEvent(instance, "silent");
    // On a busy machine that may be before its CPUs run, from when on it is waited for anew.
    await eventually(async () =>
      expect(await fixture.driver.inspect(instance, handle, callOptions)).toMatchObject({
        state: "running",
        execReady: false,
        isSilent: true,
        reason: expect.stringMatching(/^it has shown no sign of life .* with 128 MiB of memory\?$/),
      }),
    );
    await fixture.driver.stop(instance, handle, callOptions);
  });

  it("are refused KVM where it does not work, and emulated when they do not insist", async () => {
    await expect(fixture.create({ kernel: "micro", accelerator: 1 })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "KVM_UNAVAILABLE",
    });
    const instance = await fixture.create({ kernel: "micro", accelerator: 0 });
    const handle = await fixture.start(instance);
    expect(await fixture.driver.inspect(instance, handle, callOptions)).toMatchObject({ accelerator: "tcg" });
    await fixture.driver.stop(instance, handle, callOptions);
  });

  it("are refused with too little memory to boot, and said to be silent until they show a sign of life", async () => {
    await expect(fixture.create({ kernel: "micro" }, [], { memoryMib: 64n })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [{ field: "instance.spec.memory_mib", description: expect.stringMatching(/at least \d+ MiB/) }],
    });
    const instance = await fixture.create({ kernel: "micro" });
    const small = { ...instance, spec: { ...instance.spec, memoryMib: 64n } };
    const network = { netns: await anyNetns(), nics: [] };
    await expect(fixture.driver.start(small, network, callOptions)).rejects.toMatchObject({
      violations: [{ field: "instance.spec.memory_mib" }],
    });
    const handle = await fixture.driver.start(instance, network, callOptions);
    const inspect = () => fixture.driver.inspect(instance, handle, callOptions);
    await untilEvent(instance, "silent");
    // On a fast machine it may have come up in between.
    const first = await inspect();
    expect([undefined, true]).toContain(first.isSilent);
    await eventually(async () => expect(await inspect()).toMatchObject({ state: "running", reason: "" }));
    expect(await inspect()).not.toHaveProperty("isSilent");
    await fixture.driver.stop(instance, handle, callOptions);
  });

  async function untilEvent(instance: DriverInstance, type: string): Promise<void> {
    for await (const event of fixture.driver.events(AbortSignal.timeout(60_000))) {
      if (event.uid === instance.uid && event.type === type) return;
    }
    throw new Error(`no event ${type}`);
  }

  async function anyNetns(): Promise<string> {
    const [name = ""] = await leftNetns();
    return name;
  }
});
