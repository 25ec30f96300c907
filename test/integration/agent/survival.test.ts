import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { findStartTicks } from "../../../lib/process.js";
import { ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { Wire } from "../../../proto/gen/zor/v1/wire.js";
import { WireServiceService } from "../../../proto/gen/zor/v1/wire_service.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { AgentProcess } from "./agent-process.js";

const parent = "hosts/zt";
/** The container's, at its end of the wire. */
const inWire = "10.10.0.3";
const mutation = { requestId: "", validateOnly: false };
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

/** One in a lan, one in none. */
const nics = (address: string) => [
  { lan: "lan1", addresses: [address] },
  { name: "eth1", addresses: [address.replace("10.9.", "10.10.")] },
];

const machine = (address: string): Instance =>
  Instance.fromJSON({
    spec: {
      nics: nics(address),
      qemu: { machine: "q35", accelerator: "ACCELERATOR_TCG", kernel: "micro" },
    },
  });

const container = (address: string): Instance =>
  Instance.fromJSON({ spec: { nics: nics(address), crun: { rootfs: "micro" } } });

async function create(id: string, instance: Instance): Promise<void> {
  const { operation } = await connection.unary(InstanceServiceService.createInstance, {
    ...mutation,
    parent,
    instanceId: id,
    instance,
    leaveStopped: false,
  });
  const ended = await connection.unary(
    OperationServiceService.waitOperation,
    { name: operation?.name ?? "", timeout: { seconds: 60n, nanos: 0 } },
    { timeoutMs: 70_000 },
  );
  expect(ended.operation?.error).toBeUndefined();
  expect(ended.operation?.state).toBe(OperationState.OPERATION_STATE_SUCCEEDED);
}

async function read(id: string): Promise<Instance> {
  const { instance } = await connection.unary(InstanceServiceService.getInstance, {
    name: `${parent}/instances/${id}`,
  });
  if (instance === undefined) throw new Error("no instance in the response");
  return instance;
}

async function exec(id: string, command: string[]): Promise<{ code: number; stdout: string }> {
  const start = ExecStart.fromPartial({ name: `${parent}/instances/${id}`, command });
  async function* requests() {
    yield { message: { $case: "start" as const, value: start } };
  }
  let stdout = "";
  for await (const { message } of connection.bidi(ExecServiceService.exec, requests(), { timeoutMs: 60_000 })) {
    if (message?.$case === "stdout") stdout += message.value.toString();
    if (message?.$case === "exit") return { code: message.value.code, stdout };
  }
  throw new Error("the command did not end");
}

/** "1": plugged in, as the guest sees it. */
async function carrier(id: string, nic: string): Promise<string> {
  return (await exec(id, ["cat", `/sys/class/net/${nic}/carrier`])).stdout.trim();
}

describe("an agent with real machines and a container", () => {
  it("runs them so that they reach each other through a lan", async () => {
    await connection.unary(LanServiceService.createLan, { ...mutation, parent, lanId: "lan1", lan: undefined });
    await Promise.all([
      create("vm1", machine("10.9.0.1/24")),
      create("vm2", machine("10.9.0.2/24")),
      create("c1", container("10.9.0.3/24")),
    ]);
    // Who answers must have booted too.
    for (const id of ["vm1", "vm2"]) {
      await eventually(async () => expect((await read(id)).status?.execReady).toBe(true), 60_000);
    }
    for (const id of ["vm1", "c1"]) {
      // Ping waits a second for the last answer, which is little on a busy host.
      await eventually(async () => {
        const { stdout } = await exec(id, ["ping", "-c", "3", "-i", "0.2", "-W", "2", "10.9.0.2"]);
        expect(stdout).toContain(" 0% packet loss");
      });
    }
  });

  it("shows carrier where a NIC is in a lan, and nowhere else", async () => {
    const ids = ["vm1", "c1"];
    for (const id of ids) {
      await exec(id, ["ip", "link", "set", "eth1", "up"]);
      expect([id, await carrier(id, "eth0"), await carrier(id, "eth1")]).toEqual([id, "1", "0"]);
      const eth1 = { ...mutation, name: `${parent}/lans/lan1`, endpoint: `${parent}/instances/${id}/nics/eth1` };
      await connection.unary(LanServiceService.attachLan, eth1);
      await eventually(async () => expect(await carrier(id, "eth1")).toBe("1"));
      await connection.unary(LanServiceService.detachLan, eth1);
      await eventually(async () => expect(await carrier(id, "eth1")).toBe("0"));
    }
  });

  it("joins a machine and a container by a wire, of which both see when it is cut", async () => {
    const cut = async (wanted: boolean): Promise<void> => {
      const wire = Wire.fromPartial({ name: `${parent}/wires/w1`, spec: { cut: wanted } });
      await connection.unary(WireServiceService.updateWire, { ...mutation, wire, updateMask: ["spec.cut"] });
    };
    const seen = async (up: string): Promise<void> => {
      const both = () => Promise.all(["vm1", "c1"].map((id) => carrier(id, "eth1")));
      await eventually(async () => expect(await both()).toEqual([up, up]));
    };
    const [a, b] = [`${parent}/instances/vm1/nics/eth1`, `${parent}/instances/c1/nics/eth1`];
    const wire = Wire.fromPartial({ spec: { a, b } });
    await connection.unary(WireServiceService.createWire, { ...mutation, parent, wireId: "w1", wire });
    await seen("1");
    await cut(true);
    await seen("0");
    await cut(false);
    await seen("1");
    await eventually(async () => expect((await exec("vm1", ["ping", "-c", "1", "-W", "1", inWire])).code).toBe(0));
  });

  it("finds the same ones, and their traffic uninterrupted, after it was killed and started again", async () => {
    const earlier = await Promise.all(["vm1", "vm2", "c1"].map(read));
    // In the guest and detached: what the agent's end must not touch.
    const pinged = ["10.9.0.2", inWire];
    for (const address of pinged)
      await exec("vm1", ["sh", "-c", `ping -c 40 -i 0.1 -W 1 ${address} > /tmp/${address} 2>&1 &`]);
    await agent.end("SIGKILL");
    connection.close();
    await agent.start();
    connection = await agent.connect();
    const after = await Promise.all(["vm1", "vm2", "c1"].map(read));
    expect(after.map(({ status }) => status?.pid)).toEqual(earlier.map(({ status }) => status?.pid));
    expect(after.map(({ status }) => status?.state)).toEqual(after.map(() => InstanceState.INSTANCE_STATE_RUNNING));
    const { lan } = await connection.unary(LanServiceService.getLan, { name: `${parent}/lans/lan1` });
    expect(lan?.status?.ports.map(({ endpoint }) => endpoint).sort()).toEqual([
      `${parent}/instances/c1/nics/eth0`,
      `${parent}/instances/vm1/nics/eth0`,
      `${parent}/instances/vm2/nics/eth0`,
    ]);
    for (const id of ["vm1", "vm2"])
      await eventually(async () => expect((await read(id)).status?.execReady).toBe(true), 60_000);
    const carriers = ["vm1", "vm2", "c1"].map(async (id) => [await carrier(id, "eth0"), await carrier(id, "eth1")]);
    // Only the second is in no wire.
    expect(await Promise.all(carriers)).toEqual([
      ["1", "1"],
      ["1", "0"],
      ["1", "1"],
    ]);
    for (const address of pinged) {
      const pings = await eventually(async () => {
        const { stdout } = await exec("vm1", ["cat", `/tmp/${address}`]);
        expect(stdout).toContain("40 packets transmitted");
        return stdout;
      });
      // For the answers to the last ones ping waits a second only.
      const answered = [...pings.matchAll(/ seq=(\d+) /g)].map(([, sequence]) => Number(sequence));
      expect(answered.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, sequence) => sequence));
    }
  });
});

describe("a second agent", () => {
  it("is refused on the same state directory, with the pid of the first", async () => {
    const second = agent.spawn();
    // Its output too has ended then.
    const [code] = (await once(second, "close")) as [number];
    expect(code).not.toBe(0);
    expect(agent.log).toContain(`another agent (pid ${agent.pid}) already runs`);
  });
});

describe("an agent that is asked to end", () => {
  it("exits with 0 and leaves its machines running", async () => {
    const { status } = await read("vm1");
    expect(await agent.end("SIGTERM")).toBe(0);
    expect(await findStartTicks(Number(status?.pid))).toBeDefined();
    await agent.start();
    connection.close();
    connection = await agent.connect();
    expect((await read("vm1")).status?.pid).toBe(status?.pid);
  });
});
