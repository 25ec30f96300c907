import { glob, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { AsyncQueue } from "../../../lib/async-queue.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { type Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { AttachConsoleRequest, ConsoleServiceService } from "../../../proto/gen/zor/v1/console_service.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { ScreenServiceService } from "../../../proto/gen/zor/v1/screen_service.js";
import { StatisticsServiceService } from "../../../proto/gen/zor/v1/statistics_service.js";
import { eventually } from "../../helpers/eventually.js";
import { startLibvirt, type TestLibvirt } from "../../helpers/libvirtd.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";

const parent = "hosts/zt";
const mutation = { requestId: "", validateOnly: false };
const micro = "/var/lib/zor/images/micro";
const timeout = { timeoutMs: 60_000 };
const running = InstanceState.INSTANCE_STATE_RUNNING;
const stopped = InstanceState.INSTANCE_STATE_STOPPED;
const { startInstance, stopInstance, pauseInstance, resumeInstance, resetInstance } = InstanceServiceService;
const { adoptInstance, deleteInstance, listInstances } = InstanceServiceService;
let agent: AgentProcess;
let connection: Connection;
let libvirt: TestLibvirt;

beforeAll(async () => {
  for (const hypervisor of ["qemu", "lxc"]) {
    const [module] = await Array.fromAsync(
      glob(`/usr/lib/*/libvirt/connection-driver/libvirt_driver_${hypervisor}.so`),
    );
    if (module === undefined) throw new Error(`install the package libvirt-daemon-driver-${hypervisor}`);
  }
  [libvirt, agent] = await Promise.all([startLibvirt(), AgentProcess.create()]);
  const settings = join(agent.state, "agent.yaml");
  const uris = ["qemu", "lxc"].map((hypervisor) => libvirt.uri(hypervisor, "system"));
  await writeFile(settings, JSON.stringify({ libvirt: [...uris, libvirt.uri("test", "default")] }));
  await agent.start(["--config", settings]);
  connection = await agent.connect();
});

afterAll(async () => {
  connection?.close();
  await agent?.destroy({ instances: false });
  for (const hypervisor of ["qemu", "lxc"])
    await libvirt?.virsh(libvirt.uri(hypervisor, "system"), "destroy", `zt-${hypervisor}`).catch(() => "");
  await libvirt?.[Symbol.asyncDispose]();
});

async function define(hypervisor: "qemu" | "lxc"): Promise<string> {
  const name = `zt-${hypervisor}`;
  const root = join(libvirt.root, "rootfs");
  const what = {
    qemu: `<os><type arch='x86_64' machine='pc'>hvm</type><kernel>${micro}/vmlinuz</kernel><initrd>${micro}/initrd.img</initrd>
      <cmdline>console=ttyS0</cmdline></os><features><acpi/></features><devices><console type='pty'/><graphics type='vnc' port='-1' autoport='yes'/>
      <video><model type='vga'/></video><interface type='user'/></devices>`,
    lxc: `<os><type>exe</type><init>/bin/sleep</init><initarg>100000</initarg></os><features><privnet/></features>
      <devices><filesystem type='mount'><source dir='${root}'/><target dir='/'/></filesystem><console type='pty'/></devices>`,
  };
  if (hypervisor === "lxc") {
    await mkdir(root);
    await run("tar", ["-C", root, "-xf", `${micro}/rootfs.tar`]);
  }
  const file = join(libvirt.root, `${name}.xml`);
  const size = "<memory unit='MiB'>128</memory><vcpu>1</vcpu>";
  await writeFile(file, `<domain type='${hypervisor}'><name>${name}</name>${size}${what[hypervisor]}</domain>`);
  await libvirt.virsh(libvirt.uri(hypervisor, "system"), "define", file);
  return name;
}

async function find(domain: string): Promise<Instance> {
  const request = { parent, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
  const { instances } = await connection.unary(listInstances, request);
  const found = instances.find(({ spec }) => spec?.driver?.$case === "libvirt" && spec.driver.value.domain === domain);
  if (found === undefined) throw new Error(`domain ${domain} is not shown`);
  return found;
}

/** Its console, its screen and its counters, as far as its hypervisor has them. */
async function looksInside(hypervisor: "qemu" | "lxc", name: string): Promise<void> {
  const statistics = await connection.unary(StatisticsServiceService.readStatistics, { name }, timeout);
  expect(Number(statistics.statistics?.memoryLimitBytes)).toBe(128 * 2 ** 20);
  const picture = async (): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    for await (const { png } of connection.stream(ScreenServiceService.captureScreen, { name }, timeout))
      pieces.push(png);
    return Buffer.concat(pieces);
  };
  if (hypervisor === "lxc") {
    await expect(picture()).rejects.toThrow(/has no screen/);
    return;
  }
  expect(statistics.statistics?.cpuTime?.nanos).toBeGreaterThan(0);
  expect(statistics.statistics?.interfaces).toHaveLength(1);
  expect((await picture()).toString("latin1", 1, 4)).toBe("PNG");
  // Two who look share the console, which libvirt gives to one.
  const [first, second] = [talk(name), talk(name)];
  await eventually(async () => expect(first.heard()).toContain(":~# "), 60_000);
  first.type("echo con''sole-1\n");
  await eventually(async () => expect(second.heard()).toContain("console-1"));
  await expect(libvirt.virsh(libvirt.uri("qemu", "system"), "domstate", "zt-qemu")).resolves.toBe("running");
  first.end();
  second.type("echo con''sole-2\n");
  await eventually(async () => expect(second.heard()).toContain("console-2"));
  second.end();
}

/** Attaches to a console. */
function talk(name: string): { heard(): string; type(text: string): void; end(): void } {
  const typed = new AsyncQueue<string>(64);
  const ending = new AbortController();
  async function* requests() {
    const open = { name, replayBytes: 4096, port: 0, size: undefined };
    yield AttachConsoleRequest.fromPartial({ message: { $case: "open", value: open } });
    for await (const text of typed) yield { message: { $case: "data" as const, value: Buffer.from(text) } };
  }
  let heard = "";
  void (async () => {
    const call = connection.bidi(ConsoleServiceService.attachConsole, requests(), { signal: ending.signal });
    for await (const { message } of call) if (message?.$case === "data") heard += message.value.toString();
  })().catch((error: unknown) => {
    heard += String(error);
  });
  typed.push("\n");
  return {
    heard: () => heard,
    type: (text) => void typed.push(text),
    end: () => {
      typed.end();
      ending.abort();
    },
  };
}

const reaches = (domain: string, state: InstanceState) =>
  eventually(async () => expect((await find(domain)).status?.state).toBe(state));

describe("domains of real hypervisors", () => {
  it.each(["qemu", "lxc"] as const)("of %s are found, adopted, controlled and let go of", async (hypervisor) => {
    const domain = await define(hypervisor);
    const uri = libvirt.uri(hypervisor, "system");
    await reaches(domain, stopped);
    const request = { name: (await find(domain)).name, ...mutation };
    const { instance } = await connection.unary(adoptInstance, request, timeout);
    expect(instance?.uid).toBe(await libvirt.virsh(uri, "domuuid", domain));
    await connection.unary(startInstance, request, timeout);
    expect(await libvirt.virsh(uri, "domstate", domain)).toBe("running");
    await looksInside(hypervisor, request.name);
    await connection.unary(pauseInstance, request, timeout);
    expect(await libvirt.virsh(uri, "domstate", domain)).toBe("paused");
    await connection.unary(resumeInstance, request, timeout);
    const reset = connection.unary(resetInstance, request, timeout);
    if (hypervisor === "qemu") expect((await reset).instance?.status?.state).toBe(running);
    else await expect(reset).rejects.toThrow("libvirt could not reset the domain");
    await connection.unary(stopInstance, request, timeout);
    expect(await libvirt.virsh(uri, "domstate", domain)).toBe("shut off");
    await libvirt.virsh(uri, "start", domain);
    await reaches(domain, running);
    await connection.unary(deleteInstance, { ...request, force: false }, timeout);
    expect(await libvirt.virsh(uri, "domstate", domain)).toBe("running");
    await libvirt.virsh(uri, "destroy", domain);
    await reaches(domain, stopped);
    await libvirt.virsh(uri, "undefine", domain);
    await eventually(async () => await expect(find(domain)).rejects.toThrow("is not shown"));
  });

  it("are unknown while libvirt hangs, which slows nothing else, and come back", async () => {
    const request = { name: (await find("test")).name, ...mutation };
    await connection.unary(adoptInstance, request, timeout);
    await libvirt.signal("SIGSTOP");
    try {
      await reaches("test", InstanceState.INSTANCE_STATE_UNKNOWN);
      expect((await find("test")).status?.reason).toContain("does not answer since");
      await expect(connection.unary(stopInstance, request, timeout)).rejects.toThrow("does not answer");
    } finally {
      await libvirt.signal("SIGCONT");
    }
    await reaches("test", running);
  });
});
