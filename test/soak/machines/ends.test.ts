import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { eventually } from "../../helpers/eventually.js";
import { MemoryGroup } from "../../integration/qemu/memory-group.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;
let before: MachineState;

beforeAll(async () => {
  before = captureMachine();
  rig = await ReachRig.start();
}, 60_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  expect(leftBehind(before, captureMachine(), new RegExp(`${rig.agent.state}|${rig.agent.netns}`))).toEqual([]);
});

/** What people are told of a machine, once it has ended. */
async function endOf(id: string, words: RegExp): Promise<string> {
  let said = "";
  await eventually(async () => {
    said = (await rig.zor("describe", "instance", `zt/${id}`)).stdout;
    expect(said).toMatch(words);
  }, 60_000);
  return said;
}

async function pidOf(id: string): Promise<number> {
  const file = join(rig.agent.state, "instances", id, "handle.json");
  return (JSON.parse(await readFile(file, "utf8")) as { handle: { pid: number } }).handle.pid;
}

async function make(id: string, qemu: object = {}): Promise<void> {
  await rig.create(id, { memoryMib: "128", qemu: { kernel: "micro", accelerator: "ACCELERATOR_TCG", ...qemu } });
  await rig.answers(id);
}

/** Runs in the guest what ends it: its answer never comes. */
function begin(id: string, script: string): void {
  void rig.run("exec", "-d", `zt/${id}`, "--", "sh", "-c", script).result.catch(() => undefined);
}

it("tells how each machine has ended, through the hub", { timeout: 300_000 }, async () => {
  // The kernel's own panic, told by its driver of the device.
  await make("panic", { pvpanic: true });
  begin("panic", "echo c > /proc/sysrq-trigger");
  await endOf("panic", /GUEST_PANIC|guest.panic/i);
  const panic = await rig.zor("get", "instance", "zt/panic", "-o", "yaml");
  expect(panic.stdout).toMatch(/END_KIND_GUEST_PANIC[\s\S]*the guest's kernel panicked/);

  // The image has no driver for the watchdog: its registers are set by hand (a clock of 1 MHz; enable), and nobody feeds it.
  await make("dog", { watchdog: { model: "i6300esb", action: "poweroff" } });
  const config = "/sys/bus/pci/devices/0000:00:19.0/config";
  begin(
    "dog",
    `printf '\\007\\000' | dd of=${config} bs=2 seek=48 conv=notrunc; printf '\\002' | dd of=${config} bs=1 seek=104 conv=notrunc`,
  );
  await endOf("dog", /the guest did not serve its watchdog/);
  expect((await rig.zor("get", "instance", "zt/dog", "-o", "yaml")).stdout).toContain("END_KIND_WATCHDOG");

  await make("killed");
  process.kill(await pidOf("killed"), "SIGKILL");
  await endOf("killed", /QEMU was killed by .*SIGKILL/);
  expect((await rig.zor("get", "instance", "zt/killed", "-o", "yaml")).stdout).toMatch(
    /END_KIND_SIGNAL[\s\S]*signal: 9|signal: 9[\s\S]*END_KIND_SIGNAL/,
  );

  await make("off");
  begin("off", "poweroff -f");
  await endOf("off", /the guest shut down/);
  expect((await rig.zor("get", "instance", "zt/off", "-o", "yaml")).stdout).toContain("END_KIND_GUEST_SHUTDOWN");

  await make("asked");
  expect((await rig.zor("shutdown", "zt/asked")).code).toBe(0);
  expect((await rig.zor("get", "instance", "zt/asked", "-o", "yaml")).stdout).toMatch(
    /END_KIND_REQUESTED[\s\S]*requestedBy|requested_?[bB]y[\s\S]*END_KIND_REQUESTED/,
  );
});

it("tells that the kernel killed a machine at the limit of its control group, with the limit", {
  timeout: 120_000,
}, async () => {
  await rig.create("large", { memoryMib: "128", qemu: { kernel: "micro", accelerator: "ACCELERATOR_TCG" } });
  const events = rig.watchEvents();
  const pid = await pidOf("large");
  // Booting takes more than that.
  const group = await MemoryGroup.make(12);
  try {
    await group.add(pid);
    await endOf("large", new RegExp(`the kernel killed QEMU for want of memory.*${group.name}.*limit of 12 MiB`));
  } finally {
    await group[Symbol.asyncDispose]();
  }
  const told = (await rig.zor("get", "instance", "zt/large", "-o", "yaml")).stdout;
  expect(told).toContain("END_KIND_OUT_OF_MEMORY");
  expect(told).toMatch(/memoryLimitMib: "?12"?/);
  await eventually(() => expect(events.join("\n")).toMatch(/limit of 12 MiB/));
  // And it stands there over a restart of the agent.
  await rig.agent.end("SIGKILL");
  await rig.agent.start(["--dial-out"]);
  await rig.ready();
  expect((await rig.zor("get", "instance", "zt/large", "-o", "yaml")).stdout).toContain("END_KIND_OUT_OF_MEMORY");
});

it("tells that a container reached its own limit of memory, with the limit, and as an event", {
  timeout: 120_000,
}, async () => {
  const told = rig.watchEvents();
  const command = ["/bin/sh", "-c", "sleep 1; x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo $x | wc -c"];
  await rig.create("small", { memoryMib: "24", crun: { rootfs: "micro", command } });
  await endOf("small", /out of memory.*it reached its limit of 24 MiB/);
  const seen = (await rig.zor("get", "instance", "zt/small", "-o", "yaml")).stdout;
  expect(seen).toContain("END_KIND_OUT_OF_MEMORY");
  expect(seen).toMatch(/memoryLimitMib: "?24"?/);
  await eventually(() => expect(told.join("\n")).toMatch(/it reached its limit of 24 MiB/));
});
