import { noMeta } from "../../../lib/kinds/meta.js";
import { watched } from "../../helpers/watched.js";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { toOptionalDuration } from "../../../lib/duration.js";
import { agentConfigSchema } from "../../../agent/config.js";
import { joinAsHost } from "../../../agent/join.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { A2b, A2bSpec, A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { A2bServiceService, type ListA2bsResponse } from "../../../proto/gen/zor/v1/a2b_service.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Impairment } from "../../../proto/gen/zor/v1/impairment.js";
import { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, type WatchResponse, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { AgentProcess } from "../agent/agent-process.js";
import { HubFixture } from "./fixture.js";

const parent = "hosts/zt";
const name = `${parent}/a2bs/box`;
const mutation = { requestId: "", validateOnly: false };
const page = { pageSize: 0, pageToken: "", filter: "", orderBy: "" };
const delayed = (ms: number) => Impairment.fromPartial({ delay: toOptionalDuration(ms) });

let before: MachineState;
let fixture: HubFixture;
let agent: AgentProcess;
let operator: Connection;

beforeAll(async () => {
  before = captureMachine();
  fixture = await HubFixture.start();
  agent = await AgentProcess.create();
  const { joinToken } = await fixture.admin.unary(
    HostServiceService.createHost,
    CreateHostRequest.fromPartial({ hostId: agent.host }),
  );
  await joinAsHost(joinToken, agentConfigSchema.parse({ state: agent.state, dialOut: true }));
  await agent.start();
  // Polls of vitest work in tests only.
  await eventually(async () => expect((await fixture.host(agent.host)).state).toBe(HostState.HOST_STATE_READY));
  operator = await fixture.person("ana", Role.ROLE_OPERATOR);
  for (const lanId of ["lan1", "lan2", "lan3"]) {
    const lan = {
      ...{ name: "", uid: "", labels: {}, status: undefined, ...noMeta, createTime: undefined },
      spec: LanSpec.fromPartial({ mtu: 0, rstp: false }),
    };
    await operator.unary(LanServiceService.createLan, { ...mutation, parent, lanId, lan });
  }
});

afterAll(async () => {
  // It has joined the hub: nobody but the hub may ask it.
  await agent?.destroy({ instances: false });
  await fixture?.[Symbol.asyncDispose]();
  const mine = new RegExp(`${agent.state}|${agent.netns}`);
  await eventually(() => expect(leftBehind(before, captureMachine(), mine)).toEqual([]));
});

interface Creation {
  readonly a2bId?: string;
  readonly spec?: Partial<A2bSpec>;
  readonly parent?: string;
  readonly requestId?: string;
  readonly validateOnly?: boolean;
  readonly as?: Connection;
}

async function create({ spec, as = operator, ...request }: Creation): Promise<A2b> {
  const a2b = A2b.fromPartial({ spec: A2bSpec.fromPartial(spec ?? { lanA: "lan1", lanB: "lan2" }) });
  const full = { ...mutation, parent, a2bId: "other", ...request, a2b };
  const { a2b: made } = await as.unary(A2bServiceService.createA2B, full);
  if (made === undefined) throw new Error("no box in the answer");
  return made;
}

async function get(): Promise<A2b> {
  const { a2b } = await operator.unary(A2bServiceService.getA2B, { name });
  if (a2b === undefined) throw new Error("no box in the answer");
  return a2b;
}

function list(of = "hosts/-"): Promise<ListA2bsResponse> {
  return operator.unary(A2bServiceService.listA2Bs, { ...page, parent: of });
}

/** Follows the hub's watch of boxes. */
function watch(): {
  readonly next: (wanted: (step: WatchResponse) => boolean) => Promise<void>;
  readonly end: () => void;
} {
  const ending = new AbortController();
  const request = WatchRequest.fromPartial({ kinds: ["a2b"] });
  const steps = operator.stream(WatchServiceService.watch, request, { signal: ending.signal })[Symbol.asyncIterator]();
  return {
    next: async (wanted) => {
      for (;;) {
        const { done, value } = await steps.next();
        if (done === true) throw new Error("the watch ended");
        if (wanted(value)) return;
      }
    },
    end: () => ending.abort(),
  };
}

/** The box as a step of a watch has it; undefined: the step is of something else. */
function boxOf({ step }: WatchResponse): A2b | undefined {
  const box = watched(step, "a2b");
  return box?.name === name ? box : undefined;
}

test("a box is made through the hub, works, and is told to the hub's watchers and in its lists", async () => {
  const seen = watch();
  const made = await create({ a2bId: "box", spec: { lanA: "lan1", lanB: "lan2", aToB: delayed(30), seed: 5n } });
  expect(made).toMatchObject({ name, status: { state: A2bState.A2B_STATE_ACTIVE, reason: "", seed: 5n } });
  await seen.next((step) => boxOf(step)?.uid === made.uid);
  seen.end();
  expect((await get()).uid).toBe(made.uid);
  for (const of of ["hosts/-", parent]) {
    expect(await list(of)).toMatchObject({ a2bs: [{ name, uid: made.uid }], totalSize: 1, unreachable: [] });
  }
  const filtered = { ...page, parent: "hosts/-", filter: 'spec.lan_a = "lan3"' };
  expect((await operator.unary(A2bServiceService.listA2Bs, filtered)).a2bs).toEqual([]);
});

test("a change goes through the hub to the box at work, and back to the hub's watchers", async () => {
  const seen = watch();
  await seen.next((step) => boxOf(step)?.spec?.aToB?.delay?.nanos === 30_000_000);
  const { spec, ...a2b } = await get();
  const changed = A2bSpec.fromPartial({ ...spec, aToB: delayed(5), bToA: delayed(60) });
  const response = await operator.unary(A2bServiceService.updateA2B, {
    ...mutation,
    updateMask: undefined,
    a2b: { ...a2b, spec: changed },
  });
  expect(response.a2b?.status?.currentBToA?.delay).toEqual({ seconds: 0n, nanos: 60_000_000 });
  await seen.next((step) => boxOf(step)?.status?.currentBToA?.delay?.nanos === 60_000_000);
  seen.end();
  expect((await get()).uid).toBe(a2b.uid);
});

test("a change that is only checked changes nothing", async () => {
  const { spec, ...a2b } = await get();
  const changed = A2bSpec.fromPartial({ ...spec, aToB: delayed(500) });
  await operator.unary(A2bServiceService.updateA2B, {
    ...mutation,
    validateOnly: true,
    updateMask: undefined,
    a2b: { ...a2b, spec: changed },
  });
  expect((await get()).spec?.aToB?.delay?.nanos).toBe(5_000_000);
  expect((await create({ spec: { lanA: "lan1", lanB: "lan3" }, validateOnly: true })).name).toBe(
    `${parent}/a2bs/other`,
  );
  expect((await list()).a2bs).toHaveLength(1);
});

test("a request that is sent again is carried out once, and its id is good for nothing else", async () => {
  const request = { a2bId: "twice", spec: { lanA: "lan2", lanB: "lan3" }, requestId: "one-and-the-same" };
  const first = await create(request);
  expect((await create(request)).uid).toBe(first.uid);
  const another = { ...request, spec: { ...request.spec, seed: 9n } };
  await expect(create(another)).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
  await operator.unary(A2bServiceService.deleteA2B, { ...mutation, name: first.name });
  await eventually(async () => expect((await list()).a2bs).toHaveLength(1));
});

test.each<[string, Creation, { readonly code: status; readonly reason?: string; readonly message: RegExp }]>([
  ["a second box of its name", { a2bId: "box" }, { code: status.ALREADY_EXISTS, message: /hosts\/zt\/a2bs\/box/ }],
  [
    "a lan that is not there",
    { spec: { lanA: "lan1", lanB: "nope" } },
    { code: status.NOT_FOUND, message: /hosts\/zt\/lans\/nope/ },
  ],
  [
    "a delay that is too long",
    { spec: { lanA: "lan1", lanB: "lan3", aToB: delayed(20_000) } },
    { code: status.INVALID_ARGUMENT, message: /a_to_b\.delay/ },
  ],
  [
    "a loop",
    { spec: { lanA: "lan2", lanB: "lan1" } },
    {
      code: status.FAILED_PRECONDITION,
      reason: "LINK_LOOP",
      message: /lan1.*delete a part of it; or have all of its lans run RSTP[^"]*"zor create lan --rstp"\)$/,
    },
  ],
  ["a name that is an option", { a2bId: "--x" }, { code: status.INVALID_ARGUMENT, message: /a2b_id/ }],
  ["a host that nobody registered", { parent: "hosts/nope" }, { code: status.NOT_FOUND, message: /hosts\/nope/ }],
  ["all hosts at once", { parent: "hosts/-" }, { code: status.INVALID_ARGUMENT, message: /parent/ }],
])("refuses %s, and makes nothing", async (_what, creation, expected) => {
  const { message, ...rest } = expected;
  await expect(create(creation)).rejects.toMatchObject({ ...rest, message: expect.stringMatching(message) });
  expect((await list()).a2bs).toHaveLength(1);
});

test("a viewer sees boxes and may not touch them", async () => {
  const viewer = await fixture.person("vic", Role.ROLE_VIEWER);
  expect((await viewer.unary(A2bServiceService.getA2B, { name })).a2b?.name).toBe(name);
  const { spec, ...a2b } = await get();
  const calls = [
    create({ spec: { lanA: "lan1", lanB: "lan3" }, as: viewer }),
    viewer.unary(A2bServiceService.updateA2B, {
      ...mutation,
      updateMask: undefined,
      a2b: { ...a2b, spec: A2bSpec.fromPartial({ ...spec }) },
    }),
    viewer.unary(A2bServiceService.deleteA2B, { ...mutation, name }),
  ];
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: status.PERMISSION_DENIED } });
  }
  expect((await list()).a2bs).toHaveLength(1);
});

test("a box on a host that has not joined is refused, with the way to join", async () => {
  await fixture.admin.unary(HostServiceService.createHost, CreateHostRequest.fromPartial({ hostId: "late" }));
  await expect(create({ parent: "hosts/late" })).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    reason: "HOST_NOT_READY",
    resource: "hosts/late",
    message: expect.stringMatching(/PENDING.*not joined.*zor agent join TOKEN.*zor token create --host late/),
  });
  await fixture.admin.unary(HostServiceService.deleteHost, { ...mutation, name: "hosts/late", force: false });
});

test("the box of a host that does not answer is shown with what is missing, and cannot be changed", async () => {
  await agent.end("SIGKILL");
  await fixture.hostState(agent.host, HostState.HOST_STATE_UNREACHABLE, 30_000);
  expect(await list()).toMatchObject({ a2bs: [{ name }], unreachable: [{ name: parent }] });
  expect((await get()).name).toBe(name);
  const unreachable = {
    code: status.UNAVAILABLE,
    reason: "HOST_NOT_READY",
    resource: parent,
    message: expect.stringMatching(/UNREACHABLE, last seen \d+ s ago.*nothing on it was changed; check that the agent/),
  };
  await expect(create({ spec: { lanA: "lan1", lanB: "lan3" } })).rejects.toMatchObject(unreachable);
  await expect(operator.unary(A2bServiceService.deleteA2B, { ...mutation, name })).rejects.toMatchObject(unreachable);
  await agent.start();
  await fixture.hostState(agent.host, HostState.HOST_STATE_READY, 30_000);
  expect(await list()).toMatchObject({ a2bs: [{ name }], unreachable: [] });
});

test("a box is deleted through the hub: its lans are apart, and watchers are told", async () => {
  const seen = watch();
  await seen.next((step) => boxOf(step) !== undefined);
  await operator.unary(A2bServiceService.deleteA2B, { ...mutation, name });
  await seen.next(({ step }) => step?.$case === "removed" && step.value.name === name);
  seen.end();
  expect((await list()).a2bs).toEqual([]);
  await expect(get()).rejects.toMatchObject({ code: status.NOT_FOUND });
  const { lan } = await operator.unary(LanServiceService.getLan, { name: `${parent}/lans/lan1` });
  expect(lan?.status?.ports.map(({ endpoint }) => endpoint)).not.toContain(name);
});
