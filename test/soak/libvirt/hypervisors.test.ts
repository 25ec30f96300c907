import { glob, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { AsyncQueue } from "../../../lib/async-queue.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { AttachConsoleRequest, ConsoleServiceService } from "../../../proto/gen/zor/v1/console_service.js";
import { ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";
import { ConnectRequest, ForwardServiceService } from "../../../proto/gen/zor/v1/forward_service.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { ScreenServiceService } from "../../../proto/gen/zor/v1/screen_service.js";
import { StatisticsServiceService } from "../../../proto/gen/zor/v1/statistics_service.js";
import { eventually } from "../../helpers/eventually.js";
import { startLibvirt, type TestLibvirt } from "../../helpers/libvirtd.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";

const parent = "hosts/zt";
const peer = `${parent}/instances/peer`;
const mutation = { requestId: "", validateOnly: false };
const micro = "/var/lib/zor/images/micro";
const timeout = { timeoutMs: 60_000 };
const running = InstanceState.INSTANCE_STATE_RUNNING;
const stopped = InstanceState.INSTANCE_STATE_STOPPED;
const { startInstance, stopInstance, pauseInstance, resumeInstance, resetInstance } = InstanceServiceService;
const { adoptInstance, createInstance, deleteInstance, listInstances, updateInstance } = InstanceServiceService;
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
  await createPeer();
});

afterAll(async () => {
  await connection?.unary(deleteInstance, { name: peer, ...mutation, force: true }, timeout);
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
    lxc: `<os><type>exe</type><init>/bin/sh</init><initarg>-c</initarg>
      <initarg>until d=$(ip -o link | grep -o 'macvlan[0-9]*') &amp;&amp; ip address add 10.9.0.2/24 dev $d; do sleep 0.2; done; ip link set $d up; sleep 100000</initarg></os><features><privnet/></features>
      <devices><filesystem type='mount'><source dir='${root}'/><target dir='/'/></filesystem><console type='pty'/></devices>`,
  };
  if (hypervisor === "lxc") {
    await mkdir(root, { recursive: true });
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

/** A container in a lan, for domains to reach. */
async function createPeer(): Promise<void> {
  await connection.unary(LanServiceService.createLan, { ...mutation, parent, lanId: "lan1", lan: undefined });
  const instance = Instance.fromJSON({
    spec: { nics: [{ lan: "lan1", addresses: ["10.9.0.1/24"] }], crun: { rootfs: "micro" } },
  });
  const request = { ...mutation, parent, instanceId: "peer", instance, leaveStopped: false };
  const { operation } = await connection.unary(createInstance, request);
  const wait = { name: operation?.name ?? "", timeout: { seconds: 60n, nanos: 0 } };
  const ended = await connection.unary(OperationServiceService.waitOperation, wait, { timeoutMs: 70_000 });
  expect(ended.operation?.error).toBeUndefined();
}

/** Exit code of one ping from the container to the domain. */
async function ping(): Promise<number> {
  const command = ["ping", "-c", "1", "-W", "1", "10.9.0.2"];
  const start = ExecStart.fromPartial({ name: peer, command });
  async function* requests() {
    yield { message: { $case: "start" as const, value: start } };
  }
  for await (const { message } of connection.bidi(ExecServiceService.exec, requests(), timeout))
    if (message?.$case === "exit") return message.value.code;
  throw new Error("the command did not end");
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
  expect(await greetingOf(name)).toMatch(/^RFB 003\.008\n/);
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

/** What the server of its screen says first. */
async function greetingOf(name: string): Promise<string> {
  const ending = new AbortController();
  async function* requests() {
    const open = { name, screen: true };
    yield ConnectRequest.fromPartial({ message: { $case: "open", value: open } });
    await new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  const call = connection.bidi(ForwardServiceService.connect, requests(), { signal: ending.signal });
  try {
    for await (const { message } of call) if (message?.$case === "data") return message.value.toString("latin1");
    throw new Error("the screen said nothing");
  } finally {
    ending.abort();
  }
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

  it.each(["qemu", "lxc"] as const)("of %s are plugged into lans", async (hypervisor) => {
    const domain = await define(hypervisor);
    const uri = libvirt.uri(hypervisor, "system");
    await reaches(domain, stopped);
    const request = { name: (await find(domain)).name, ...mutation };
    const { instance } = await connection.unary(adoptInstance, request, timeout);
    const plug = async (...lans: string[]) => {
      const spec = { ...instance?.spec, nics: lans.map((lan) => ({ lan })) };
      const changed = Instance.fromPartial({ name: request.name, spec });
      await connection.unary(updateInstance, { ...mutation, instance: changed, updateMask: ["spec.nics"] }, timeout);
    };
    const ours = async () => (await libvirt.virsh(uri, "dumpxml", domain)).match(/dev='zh[0-9a-f]{10}' mode/g) ?? [];
    const settle = async () => {
      if (hypervisor === "lxc") return;
      const console = talk(request.name);
      await eventually(async () => expect(console.heard()).toContain(":~# "), 60_000);
      // By its address: which name it gets depends on the drivers that the guest has for the domain's own.
      const find = "dev=$(grep -l ^02: /sys/class/net/*/address | cut -d/ -f5)";
      console.type(`${find}; ip link set $dev up && ip address add 10.9.0.2/24 dev $dev && echo do''ne\n`);
      await eventually(async () => expect(console.heard()).toContain("done"));
      console.end();
    };
    const pings = async (code: number) => await eventually(async () => expect(await ping()).toBe(code), 30_000);
    await plug("lan1");
    await connection.unary(startInstance, request, timeout);
    await settle();
    await pings(0);
    // Out of the lan and in again.
    await plug("");
    await pings(1);
    await plug("lan1");
    await pings(0);
    // One more while it runs, and away again.
    await plug("lan1", "lan1");
    expect(await ours()).toHaveLength(2);
    await plug("lan1");
    // libvirt takes no interface away from a container that runs.
    expect(await ours()).toHaveLength(hypervisor === "lxc" ? 2 : 1);
    // An agent that comes back has them, and a domain that others start again gets them.
    await agent.end("SIGKILL");
    await agent.start(["--config", join(agent.state, "agent.yaml")]);
    connection = await agent.connect();
    await pings(0);
    await libvirt.virsh(uri, "destroy", domain);
    await reaches(domain, stopped);
    await libvirt.virsh(uri, "start", domain);
    await eventually(async () => expect(await ours()).toHaveLength(1));
    await settle();
    await pings(0);
    await connection.unary(deleteInstance, { ...request, force: false }, timeout);
    if (hypervisor === "qemu") expect(await ours()).toEqual([]);
    expect(await libvirt.virsh(uri, "domstate", domain)).toBe("running");
    expect((await run("ip", ["-o", "link", "show", "type", "veth"])).stdout).not.toMatch(/zh[0-9a-f]{10}/);
    await libvirt.virsh(uri, "destroy", domain);
    await libvirt.virsh(uri, "undefine", domain);
    await eventually(async () => await expect(find(domain)).rejects.toThrow("is not shown"));
  });

  it("run on when libvirtd dies, are unknown meanwhile, and are known again", async () => {
    const domain = await define("qemu");
    const uri = libvirt.uri("qemu", "system");
    await reaches(domain, stopped);
    const request = { name: (await find(domain)).name, ...mutation };
    await connection.unary(adoptInstance, request, timeout);
    await connection.unary(startInstance, request, timeout);
    await libvirt.crash();
    await reaches(domain, InstanceState.INSTANCE_STATE_UNKNOWN);
    await expect(connection.unary(stopInstance, request, timeout)).rejects.toThrow("does not answer");
    await libvirt.restart();
    await reaches(domain, running);
    expect(await libvirt.virsh(uri, "domstate", domain)).toBe("running");
    await connection.unary(stopInstance, request, timeout);
    await connection.unary(deleteInstance, { ...request, force: false }, timeout);
    await libvirt.virsh(uri, "undefine", domain);
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
