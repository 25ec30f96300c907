import { status } from "@grpc/grpc-js";
import { noMeta } from "../../../lib/kinds/meta.js";
import { watched } from "../../helpers/watched.js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { toOptionalDuration } from "../../../lib/duration.js";
import { run } from "../../../agent/host/exec.js";
import { toBridgeName } from "../../../agent/network/names.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { A2b, A2bSpec, A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { A2bServiceService } from "../../../proto/gen/zor/v1/a2b_service.js";
import { Impairment } from "../../../proto/gen/zor/v1/impairment.js";
import { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { AgentProcess } from "../agent/agent-process.js";
import { killed } from "../../helpers/killed.js";

const parent = "hosts/zt";
const name = `${parent}/a2bs/box`;
const mutation = { requestId: "", validateOnly: false };
const addresses = ["10.78.0.1", "10.78.0.2"] as const;
let before: MachineState;
let agent: AgentProcess;
let connection: Connection;
const guests: TestNetns[] = [];

beforeAll(async () => {
  before = captureMachine();
  agent = await AgentProcess.create();
  await agent.start();
  connection = await agent.connect();
  for (const [index, lanId] of ["lan1", "lan2", "lan3"].entries()) {
    const spec = LanSpec.fromPartial({});
    const lan = { name: "", uid: "", labels: {}, spec, status: undefined, ...noMeta, createTime: undefined };
    const made = await connection.unary(LanServiceService.createLan, { ...mutation, parent, lanId, lan });
    const address = addresses[index];
    if (address !== undefined) guests.push(await plugGuest(made.lan?.uid ?? "", address, `ztg${index}`));
  }
});

afterAll(async () => {
  connection?.close();
  await agent?.destroy();
  for (const guest of guests) await guest[Symbol.asyncDispose]();
  const mine = new RegExp([agent.state, agent.netns, ...guests.map((guest) => guest.name)].join("|"));
  await eventually(() => expect(leftBehind(before, captureMachine(), mine)).toEqual([]));
});

/** Something in a lan that answers pings. */
async function plugGuest(lanUid: string, address: string, port: string): Promise<TestNetns> {
  const guest = await makeNetns("bg");
  await guest.ip("link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", agent.netns);
  await guest.ip("addr", "add", `${address}/24`, "dev", "eth0");
  await guest.ip("link", "set", "eth0", "up");
  await run("ip", ["-n", agent.netns, "link", "set", port, "up"]);
  const database = `--db=unix:${agent.state}/ovs/db.sock`;
  await run("ovs-vsctl", [database, "add-port", toBridgeName(lanUid), port]);
  return guest;
}

/** Round trips between the two lans in milliseconds; none when nothing comes back. */
async function ping(count = 5): Promise<number[]> {
  return [...(await pingAtOnce({ netns: guests[0]?.name, address: addresses[1], count })).values()];
}

async function get(): Promise<A2b> {
  const { a2b } = await connection.unary(A2bServiceService.getA2B, { name });
  if (a2b === undefined) throw new Error("no box in the answer");
  return a2b;
}

async function create(a2bId: string, spec: Partial<A2bSpec>, validateOnly = false): Promise<A2b | undefined> {
  const a2b = A2b.fromPartial({ spec: A2bSpec.fromPartial(spec) });
  const request = { ...mutation, parent, a2bId, a2b, validateOnly };
  return (await connection.unary(A2bServiceService.createA2B, request)).a2b;
}

async function active(): Promise<void> {
  await eventually(async () => {
    const { status } = await get();
    if (status?.state !== A2bState.A2B_STATE_ACTIVE) throw new Error(`the box is down: ${status?.reason}`);
  });
}

const delayed = (ms: number) => Impairment.fromPartial({ delay: toOptionalDuration(ms) });

it("joins two lans and delays what passes, and says so", async () => {
  expect(await ping(2)).toEqual([]);
  const made = await create("box", { lanA: "lan1", lanB: "lan2", aToB: delayed(30), seed: 5n });
  expect(made?.status).toMatchObject({ state: A2bState.A2B_STATE_ACTIVE, reason: "", seed: 5n });
  const trips = await ping();
  expect(trips).toHaveLength(5);
  for (const trip of trips.slice(1)) expect(trip).toBeGreaterThanOrEqual(30);
  await eventually(async () => expect(Number((await get()).status?.aToB?.inFrames)).toBeGreaterThanOrEqual(5));
  const { status } = await get();
  expect(status?.currentAToB?.delay).toEqual({ seconds: 0n, nanos: 30_000_000 });
});

it("is told to watchers, and its ports are shown in both lans", async () => {
  const ending = new AbortController();
  const request = {
    kinds: ["a2b"],
    position: undefined,
    bookmarkSeconds: 0,
    parent: "",
  };
  const stream = connection.stream(WatchServiceService.watch, request, { signal: ending.signal });
  for await (const { step } of stream) {
    if (step?.$case !== "upsert") continue;
    expect(watched(step, "a2b")).toMatchObject({ name });
    break;
  }
  ending.abort();
  for (const lan of ["lan1", "lan2"]) {
    const response = await connection.unary(LanServiceService.getLan, { name: `${parent}/lans/${lan}` });
    expect(response.lan?.status?.ports.map(({ endpoint }) => endpoint)).toContain(name);
  }
});

it("keeps its lans from being deleted", async () => {
  const request = { ...mutation, name: `${parent}/lans/lan2` };
  await expect(connection.unary(LanServiceService.deleteLan, request)).rejects.toMatchObject({ reason: "LAN_IN_USE" });
});

it("changes while frames pass", async () => {
  const { spec, ...a2b } = await get();
  const changed = A2bSpec.fromPartial({ ...spec, aToB: delayed(5), bToA: delayed(60) });
  const { a2b: after } = await connection.unary(A2bServiceService.updateA2B, {
    ...mutation,
    a2b: { ...a2b, spec: changed },
    updateMask: undefined,
  });
  expect(after?.status?.currentBToA?.delay).toEqual({ seconds: 0n, nanos: 60_000_000 });
  for (const trip of await ping()) expect(trip).toBeGreaterThanOrEqual(65);
});

it("drops what an expression names, and every nth frame, counts both, and refuses what does not compile", async () => {
  const update = async (aToB: Partial<Impairment>) => {
    const { spec, ...a2b } = await get();
    const changed = A2bSpec.fromPartial({ ...spec, aToB: Impairment.fromPartial(aToB), bToA: undefined });
    await connection.unary(A2bServiceService.updateA2B, {
      ...mutation,
      a2b: { ...a2b, spec: changed },
      updateMask: undefined,
    });
  };
  const counted = async () => (await get()).status?.aToB;
  await update({ dropFilter: "icmp or (vlan and icmp)" });
  expect(await ping(3)).toEqual([]);
  await expect.poll(counted).toMatchObject({ droppedFilterFrames: 3n, droppedNthFrames: 0n });
  await expect(update({ dropFilter: "icmp and and" })).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    violations: [{ field: "a2b.spec.a_to_b.drop_filter" }],
  });
  expect((await get()).spec?.aToB?.dropFilter).toBe("icmp or (vlan and icmp)");
  await update({ dropEvery: 2, dropFilter: "tcp port 80" });
  // The other half may be one more or less, when somebody asks for an address meanwhile.
  expect([4, 5, 6]).toContain((await ping(10)).length);
  await expect.poll(async () => Number((await counted())?.droppedNthFrames)).toBeGreaterThanOrEqual(4);
  await update({ delay: toOptionalDuration(5) });
});

it("goes on without the agent, and is taken up by the next one", async () => {
  const { status } = await get();
  connection.close();
  await agent.end("SIGKILL");
  expect(await ping()).toHaveLength(5);
  await agent.start();
  connection = await agent.connect();
  await active();
  expect((await get()).status?.enginePid).toBe(status?.enginePid);
  expect(await ping()).toHaveLength(5);
});

it("comes back when the engine is killed", async () => {
  const pid = Number((await get()).status?.enginePid);
  await killed(pid);
  await eventually(async () => expect((await get()).status?.enginePid).not.toBe(BigInt(pid)));
  await active();
  await eventually(async () => expect(await ping()).toHaveLength(5));
});

it.each([
  ["a lan that is not there", { lanA: "lan1", lanB: "nope" }, { message: /hosts\/zt\/lans\/nope/ }],
  ["the same lan twice", { lanA: "lan1", lanB: "lan1" }, { message: /a2b\.spec\.lan_b: must be another lan/ }],
  ["a delay that is too long", { lanA: "lan1", lanB: "lan3", aToB: delayed(20_000) }, { message: /a_to_b\.delay/ }],
  [
    "a part of more than one",
    { lanA: "lan1", lanB: "lan3", bToA: Impairment.fromPartial({ lossRatio: 1.5 }) },
    { message: /a2b\.spec\.b_to_a\.loss_ratio: 1\.5/ },
  ],
  ["a loop", { lanA: "lan2", lanB: "lan1" }, { reason: "LINK_LOOP" }],
])("refuses %s", async (_what, spec, { reason, message }: { reason?: string; message?: RegExp }) => {
  const refused = await create("other", spec).catch((error: unknown) => error);
  if (reason !== undefined) expect(refused).toMatchObject({ reason });
  if (message !== undefined) expect(String(refused)).toMatch(message);
  const list = { parent, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
  expect((await connection.unary(A2bServiceService.listA2Bs, list)).a2bs).toHaveLength(1);
});

it("can be checked without being made", async () => {
  expect((await create("other", { lanA: "lan1", lanB: "lan3" }, true))?.name).toBe(`${parent}/a2bs/other`);
  await expect(connection.unary(A2bServiceService.getA2B, { name: `${parent}/a2bs/other` })).rejects.toThrow(/other/);
});

it("leaves its lans apart when it is deleted", async () => {
  await connection.unary(A2bServiceService.deleteA2B, { ...mutation, name });
  expect(await ping(2)).toEqual([]);
  for (const lan of ["lan1", "lan2"]) {
    const response = await connection.unary(LanServiceService.getLan, { name: `${parent}/lans/${lan}` });
    expect(response.lan?.status?.ports.map(({ endpoint }) => endpoint)).not.toContain(name);
  }
  const { stdout } = await run("ip", ["-n", agent.netns, "-o", "link"]);
  expect(stdout).not.toMatch(/\bzb[0-9a-f]/);
});
