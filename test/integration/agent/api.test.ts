import { watched } from "../../helpers/watched.js";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { WatchRequest, type WatchResponse, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { ApiFixture, action, creation, nameOf, parent } from "./api-fixture.js";

const instances = InstanceServiceService;
const lans = LanServiceService;
let api: ApiFixture;
beforeEach(async () => {
  api = await ApiFixture.start();
});
afterEach(() => api.close());

describe("operations", () => {
  it("can be cancelled, which undoes what they began", async () => {
    api.driver.hold("create");
    const { operation } = await api.operator.unary(instances.createInstance, creation("c1"));
    await expect.poll(() => api.driver.calls).toContain("create c1");
    const seen = await api.operator.unary(OperationServiceService.getOperation, { name: operation?.name ?? "" });
    expect(seen.operation).toMatchObject({ step: "unpacking", caller: "zor://user/ana", target: nameOf("c1") });
    await api.operator.unary(OperationServiceService.cancelOperation, { name: operation?.name ?? "", requestId: "" });
    const ended = await api.wait(operation);
    expect(ended.state).toBe(OperationState.OPERATION_STATE_CANCELLED);
    await expect(api.operator.unary(instances.getInstance, { name: nameOf("c1") })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    await expect(
      api.operator.unary(OperationServiceService.cancelOperation, { name: ended.name, requestId: "" }),
    ).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  });

  it("tell why they failed", async () => {
    api.driver.failNext("create", Object.assign(new Error("no space"), { code: "ENOSPC" }));
    const { operation } = await api.operator.unary(instances.createInstance, creation("c1"));
    const ended = await api.wait(operation);
    expect(ended).toMatchObject({
      state: OperationState.OPERATION_STATE_FAILED,
      error: { code: status.RESOURCE_EXHAUSTED },
    });
  });
});

describe("lans", () => {
  it("survive a restart and cannot be deleted while in use", async () => {
    await api.makeLan("lan1");
    const instance = Instance.fromJSON({ spec: { nics: [{ lan: "lan1" }], crun: { rootfs: "micro" } } });
    await api.make("c1", { instance });
    const before = await api.operator.unary(lans.getLan, { name: `${parent}/lans/lan1` });
    expect(before.lan?.status?.ports.map(({ endpoint }) => endpoint)).toEqual([`${nameOf("c1")}/nics/eth0`]);
    const remove = { name: `${parent}/lans/lan1`, requestId: "", validateOnly: false };
    await expect(api.operator.unary(lans.deleteLan, remove)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "LAN_IN_USE",
      message: expect.stringContaining(`${nameOf("c1")}/nics/eth0`),
    });
    api.network.lans.clear();
    await api.restart();
    const after = await api.operator.unary(lans.getLan, { name: `${parent}/lans/lan1` });
    expect(after.lan?.uid).toBe(before.lan?.uid);
    expect(api.network.lans.get("lan1")?.plugged.size).toBe(1);
    await api.operator.unary(lans.detachLan, { ...remove, endpoint: `${nameOf("c1")}/nics/eth0` });
    await api.operator.unary(lans.deleteLan, remove);
    expect(api.network.lans.size).toBe(0);
  });

  it("take a NIC once", async () => {
    await api.makeLan("lan1");
    await api.make("c1");
    const attach = {
      name: `${parent}/lans/lan1`,
      endpoint: `${nameOf("c1")}/nics/eth0`,
      requestId: "",
      validateOnly: false,
    };
    await api.operator.unary(lans.attachLan, attach);
    await expect(api.operator.unary(lans.attachLan, attach)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "NIC_PLUGGED",
    });
  });
});

describe("lists", () => {
  it("are filtered, ordered and paged", async () => {
    for (const id of ["a", "b", "c"]) await api.make(id, { leaveStopped: id === "b" });
    const list = {
      parent: "hosts/-",
      pageSize: 1,
      pageToken: "",
      filter: "status.state = RUNNING",
      orderBy: "name desc",
    };
    const first = await api.operator.unary(instances.listInstances, list);
    expect(first).toMatchObject({ totalSize: 2, instances: [{ name: nameOf("c") }] });
    const second = await api.operator.unary(instances.listInstances, { ...list, pageToken: first.nextPageToken });
    expect(second).toMatchObject({ nextPageToken: "", instances: [{ name: nameOf("a") }] });
  });
});

describe("watching", () => {
  async function collect(
    request: Partial<WatchRequest>,
    until: (step: WatchResponse) => boolean,
  ): Promise<WatchResponse[]> {
    const seen: WatchResponse[] = [];
    for await (const step of api.operator.stream(
      WatchServiceService.watch,
      { ...WatchRequest.create(), ...request },
      { timeoutMs: 60_000 },
    )) {
      seen.push(step);
      if (until(step)) return seen;
    }
    throw new Error("the watch ended");
  }
  const stateOf = ({ step }: WatchResponse) => watched(step, "instance")?.status?.state;

  it("resumes without loss, and begins anew after a restart", async () => {
    await api.make("c1");
    const kinds = ["instance"];
    const snapshot = await collect({ kinds }, ({ step }) => step?.$case === "snapshotEnd");
    expect(snapshot.map(({ step }) => step?.$case)).toEqual(["reset", "upsert", "snapshotEnd"]);
    const position = snapshot.at(-1)?.position;
    await api.operator.unary(instances.pauseInstance, action("c1"));
    await api.operator.unary(instances.deleteInstance, { ...action("c1"), force: true });
    const resumed = await collect({ kinds, position }, ({ step }) => step?.$case === "removed");
    expect(resumed[0]?.step?.$case).toBe("upsert");
    expect(resumed.map(stateOf)).toContain(InstanceState.INSTANCE_STATE_PAUSED);
    await api.restart();
    const anew = await collect({ kinds, position }, ({ step }) => step?.$case === "snapshotEnd");
    expect(anew[0]?.step).toMatchObject({ $case: "reset" });
  });

  it("shows by itself what happens to an instance", async () => {
    await api.make("c1");
    const { instance } = await api.operator.unary(instances.getInstance, { name: nameOf("c1") });
    const ended = collect({ kinds: ["instance"] }, (step) => stateOf(step) === InstanceState.INSTANCE_STATE_STOPPED);
    api.driver.endGuest(instance?.uid ?? "");
    await ended;
  });
});
