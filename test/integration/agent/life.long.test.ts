import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { run } from "../../../agent/host/exec.js";
import { findIdentity, waitForExit } from "../../../lib/process.js";
import { ExecRequest, ExecServiceService } from "../../../proto/gen/zor/v1/exec_service.js";
import { EndKind, Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { CreateLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { AgentProcess } from "./agent-process.js";

const parent = "hosts/zt";
const mutation = { requestId: "", validateOnly: false };
const { INSTANCE_STATE_RUNNING: running, INSTANCE_STATE_SUSPENDED: suspended } = InstanceState;
let agent: AgentProcess;
let connection: Connection;
let before: MachineState;

beforeAll(async () => {
  before = captureMachine();
  agent = await AgentProcess.create();
  await agent.start();
  connection = await agent.connect();
});

afterAll(async () => {
  connection?.close();
  await agent?.destroy();
  const mine = new RegExp(`${agent.state}|${agent.netns}`);
  await eventually(() => expect(leftBehind(before, captureMachine(), mine)).toEqual([]));
});

const nameOf = (id: string) => `${parent}/instances/${id}`;

async function done(operation: Operation | undefined): Promise<void> {
  const request = { name: operation?.name ?? "", timeout: { seconds: 60n, nanos: 0 } };
  const ended = await connection.unary(OperationServiceService.waitOperation, request, { timeoutMs: 70_000 });
  expect(ended.operation?.error).toBeUndefined();
}

async function create(id: string, spec: object): Promise<void> {
  const instance = Instance.fromJSON({ spec });
  const request = { ...mutation, parent, instanceId: id, instance, leaveStopped: false };
  await done((await connection.unary(InstanceServiceService.createInstance, request)).operation);
}

async function read(id: string): Promise<Instance> {
  const { instance } = await connection.unary(InstanceServiceService.getInstance, { name: nameOf(id) });
  if (instance === undefined) throw new Error("no instance in the response");
  return instance;
}

const statusOf = async (id: string) => (await read(id)).status;

async function update(id: string, spec: object, ...paths: string[]): Promise<void> {
  const instance = Instance.fromJSON({ name: nameOf(id), spec });
  const updateMask = paths.map((path) => `spec.${path}`);
  await connection.unary(InstanceServiceService.updateInstance, { ...mutation, instance, updateMask });
}

async function shell(id: string, text: string): Promise<string> {
  const value = { name: nameOf(id), command: ["sh", "-c", text] };
  async function* requests() {
    yield ExecRequest.fromPartial({ message: { $case: "start", value } });
  }
  let stdout = "";
  for await (const { message } of connection.bidi(ExecServiceService.exec, requests(), { timeoutMs: 60_000 })) {
    if (message?.$case === "stdout") stdout += message.value.toString();
  }
  return stdout.trim();
}

/** Kills the agent, does something while there is none, and starts another. */
async function withoutAgent(work: () => Promise<void> = async () => undefined): Promise<void> {
  connection.close();
  await agent.end("SIGKILL");
  await work();
  await agent.start();
  connection = await agent.connect();
}

/** Has everything as after a restart of the host: nothing runs, and what is on disk is of another run of its kernel. */
async function pretendReboot(ids: readonly string[]): Promise<void> {
  const files = [".boot.json", ...ids.map((id) => join(id, "handle.json"))];
  for (const file of files) {
    const path = join(agent.state, "instances", file);
    const text = await readFile(path, "utf8");
    const { handle } = JSON.parse(text) as { handle?: { pid: number } };
    await writeFile(path, text.replace(/"bootId":"[^"]*"/, '"bootId":"another one"'));
    const identity = handle === undefined ? undefined : await findIdentity(handle.pid);
    if (identity === undefined) continue;
    process.kill(identity.pid, "SIGKILL");
    await waitForExit(identity, 60_000);
  }
}

describe("the life of instances, with agents that are killed in between", () => {
  it("restarts one that crashes, again and again, until it is stopped", async () => {
    const restart = { mode: "RESTART_MODE_ON_FAILURE", minDelaySeconds: 1, maxDelaySeconds: 1 };
    await create("loop", { restart, crun: { rootfs: "micro", command: ["/bin/sh", "-c", "sleep 0.2; exit 7"] } });
    await eventually(async () => expect((await statusOf("loop"))?.restart?.count).toBeGreaterThan(0));
    await withoutAgent();
    await eventually(async () => expect((await statusOf("loop"))?.restart?.count).toBeGreaterThan(2));
    expect((await statusOf("loop"))?.lastEnd).toMatchObject({ kind: EndKind.END_KIND_EXIT_CODE, exitCode: 7 });
    await connection.unary(InstanceServiceService.stopInstance, { ...mutation, name: nameOf("loop") });
    expect((await statusOf("loop"))?.restart).toBeUndefined();
  });

  it("starts what ran in its order after the host was restarted", async () => {
    const hostBoot = (order: number) => ({ start: "BOOT_START_LAST_STATE", order });
    const qemu = { kernel: "micro", accelerator: "ACCELERATOR_TCG", processors: { maxCpus: 2 } };
    await create("vm1", { nics: [{ name: "eth0" }], hostBoot: hostBoot(2), qemu });
    await create("c1", { hostBoot: hostBoot(1), crun: { rootfs: "micro" } });
    await withoutAgent(() => pretendReboot(["vm1", "c1"]));
    await eventually(async () => expect((await statusOf("vm1"))?.state).toBe(running), 60_000);
    const [vm1, c1] = [await statusOf("vm1"), await statusOf("c1")];
    expect(c1?.state).toBe(running);
    expect(c1?.startTime?.getTime()).toBeLessThanOrEqual(vm1?.startTime?.getTime() ?? 0);
    expect(vm1?.lastEnd?.kind).toBe(EndKind.END_KIND_HOST_RESTART);
    // It was stopped while it ran, or while it waited after it had failed.
    const { INSTANCE_STATE_STOPPED, INSTANCE_STATE_FAILED } = InstanceState;
    expect([INSTANCE_STATE_STOPPED, INSTANCE_STATE_FAILED]).toContain((await statusOf("loop"))?.state);
  });

  it("changes what runs, and keeps the rest for the next start", async () => {
    await update("c1", { memoryMib: "256", crun: { environment: { A: "1" } } }, "memory_mib", "crun.environment");
    expect((await statusOf("c1"))?.pendingChanges).toEqual(["crun.environment.A"]);
    await eventually(async () => expect((await statusOf("vm1"))?.execReady).toBe(true), 60_000);
    const more = { cpus: 2, nics: [{ name: "eth0" }, { name: "eth1" }], qemu: { oemStrings: ["a"] } };
    await update("vm1", more, "cpus", "nics", "qemu.oem_strings");
    expect(await shell("vm1", "grep -c ^processor /proc/cpuinfo")).toBe("2");
    await eventually(async () => expect(await shell("vm1", "ls /sys/class/net")).toContain("eth1"));
    await withoutAgent();
    expect((await statusOf("vm1"))?.pendingChanges).toEqual(["qemu.oem_strings"]);
    expect((await statusOf("c1"))?.pendingChanges).toEqual(["crun.environment.A"]);
    await update("vm1", { nics: [{ name: "eth0" }] }, "nics");
    await eventually(async () => expect(await shell("vm1", "ls /sys/class/net")).not.toContain("eth1"));
    await update("vm1", { cpus: 1, qemu: { oemStrings: [] } }, "cpus", "qemu.oem_strings");
    expect((await statusOf("vm1"))?.pendingChanges).toEqual(["cpus"]);
    // It has them now, and is suspended and started again with them.
    await update("vm1", { cpus: 2 }, "cpus");
    expect((await statusOf("vm1"))?.pendingChanges).toEqual([]);
  });

  it("gives ports of a lan their settings while instances run, and after it was killed, whatever the switch says by then", async () => {
    const lan = CreateLanRequest.create({ parent, lanId: "lan1" });
    await connection.unary(LanServiceService.createLan, lan);
    const nicOf = (vlan: object) => ({ name: "eth0", lan: "lan1", portSettings: { vlan } });
    await create("c2", { nics: [nicOf({ tag: 10 })], crun: { rootfs: "micro" } });
    const db = `--db=unix:${join(agent.state, "ovs", "db.sock")}`;
    const vsctl = async (...argv: string[]) => (await run("ovs-vsctl", [db, ...argv])).stdout.trim();
    const read = async () => await vsctl("--columns=tag,vlan_mode", "find", "Port", "vlan_mode!=[]");
    expect(await read()).toMatch(/: 10\n.*: access$/);
    await update("c2", { nics: [nicOf({ mode: "VLAN_MODE_NATIVE_TAGGED", tag: 20 })] }, "nics");
    expect((await statusOf("c2"))?.pendingChanges).toEqual([]);
    const name = `${parent}/lans/lan1`;
    const { lan: seen } = await connection.unary(LanServiceService.getLan, { name });
    expect(seen?.status?.ports.map(({ settings }) => settings?.vlan?.tag)).toEqual([20]);
    for (const tag of [-1, 4095]) {
      await expect(update("c2", { nics: [nicOf({ tag })] }, "nics")).rejects.toMatchObject({
        violations: [{ field: "instance.spec.nics[0].port_settings.vlan.tag" }],
      });
    }
    const [port] = (await vsctl("--columns=name", "-f", "csv", "--no-headings", "find", "Port", "tag=20")).split("\n");
    await withoutAgent(async () => void (await vsctl("clear", "Port", port ?? "", "tag", "vlan_mode")));
    await eventually(async () => expect(await read()).toMatch(/: 20\n.*: native-tagged$/));
  });

  it("suspends a machine and goes on with what ran inside", async () => {
    await shell("vm1", "sleep 4713 >/dev/null 2>&1 & echo $! > /kept-pid");
    const { operation } = await connection.unary(InstanceServiceService.suspendInstance, {
      ...mutation,
      name: nameOf("vm1"),
    });
    await done(operation);
    await withoutAgent();
    expect((await statusOf("vm1"))?.state).toBe(suspended);
    await connection.unary(InstanceServiceService.startInstance, { ...mutation, name: nameOf("vm1") });
    await eventually(async () => expect((await statusOf("vm1"))?.execReady).toBe(true), 60_000);
    expect(await shell("vm1", "tr '\\0' ' ' < /proc/$(cat /kept-pid)/cmdline")).toBe("sleep 4713");
  });
});
