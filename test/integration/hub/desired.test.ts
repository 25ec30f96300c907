import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { unpack } from "../../../lib/kinds/resource.js";
import { type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService, UpdateHostRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { Link, LinkCause, LinkState } from "../../../proto/gen/zor/v1/link.js";
import {
  CreateLinkRequest,
  DeleteLinkRequest,
  LinkServiceService,
  ListLinksRequest,
  UpdateLinkRequest,
} from "../../../proto/gen/zor/v1/link_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { TcpProxy } from "../../fakes/tcp-proxy.js";
import { HubFixture } from "./fixture.js";
import { createLink, getLink, lan, startPair, waitFor } from "./link-steps.js";

const service = LinkServiceService;

describe("links", () => {
  test("that are only checked are told as an operation with the link as it would be, and are not made", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    const request = { linkId: "l1", link: { spec: { a: lan("alpha"), b: lan("beta") } }, validateOnly: true };
    const { operation } = await fixture.admin.unary(service.createLink, CreateLinkRequest.fromPartial(request));
    expect(operation).toMatchObject({
      name: "",
      verb: "link.create",
      target: "links/l1",
      state: OperationState.OPERATION_STATE_SUCCEEDED,
    });
    if (operation?.result === undefined) throw new Error("the operation has no result");
    expect(unpack(operation.result)).toMatchObject({
      kind: "link",
      value: { name: "links/l1", spec: request.link.spec },
    });
    expect((await fixture.admin.unary(service.listLinks, ListLinksRequest.fromPartial({}))).links).toEqual([]);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const deletion = DeleteLinkRequest.fromPartial({ name: "links/l1", validateOnly: true });
    const checked = await fixture.admin.unary(service.deleteLink, deletion);
    expect(checked.operation).toMatchObject({ name: "", verb: "link.delete", result: undefined });
    expect((await getLink(fixture, "l1")).status?.state).toBe(LinkState.LINK_STATE_ACTIVE);
  });

  test("are the result of the operation that made them", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    const { result } = await waitFor(fixture, await createLink(fixture, "l1"));
    if (result === undefined) throw new Error("the operation has no result");
    expect(unpack(result)).toMatchObject({
      kind: "link",
      value: { name: "links/l1", status: { state: LinkState.LINK_STATE_ACTIVE } },
    });
  });

  test("that are changed are told with the state as it will be", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const down = Link.fromPartial({ name: "links/l1", spec: { aToB: { down: true } } });
    const request = UpdateLinkRequest.fromPartial({ link: down, updateMask: ["spec.a_to_b"] });
    const { link } = await fixture.admin.unary(service.updateLink, request);
    expect(link?.status).toMatchObject({
      state: LinkState.LINK_STATE_DEGRADED,
      cause: LinkCause.LINK_CAUSE_IMPAIRED,
      reason: expect.stringContaining("nothing passes from hosts/alpha to hosts/beta"),
    });
    expect(link?.spec).toMatchObject({ a: lan("alpha"), b: lan("beta") });
  });
});

describe("hosts", () => {
  const update = (fixture: HubFixture, host: Parameters<typeof Host.fromPartial>[0], updateMask: readonly string[]) =>
    fixture.admin.unary(
      HostServiceService.updateHost,
      UpdateHostRequest.fromPartial({ host: { name: "hosts/alpha", ...host }, updateMask: [...updateMask] }),
    );

  test("get labels and annotations while their session goes on, and keep them over a restart", async () => {
    await using fixture = await HubFixture.start();
    const { agent } = await fixture.addHost("alpha");
    await fixture.hostState("alpha", HostState.HOST_STATE_READY);
    const greeted = agent.calls.filter(({ method }) => method.endsWith("/Hello")).length;
    const { host } = await update(fixture, { labels: { rack: "r1" } }, ["labels.rack"]);
    expect(host).toMatchObject({ labels: { rack: "r1" }, state: HostState.HOST_STATE_READY });
    await update(fixture, { annotations: { note: "by the window" } }, ["annotations"]);
    expect(await fixture.host("alpha")).toMatchObject({
      labels: { rack: "r1" },
      annotations: { note: "by the window" },
      state: HostState.HOST_STATE_READY,
    });
    expect(agent.calls.filter(({ method }) => method.endsWith("/Hello")).length).toBe(greeted);
    await fixture.restart();
    expect(await fixture.host("alpha")).toMatchObject({
      labels: { rack: "r1" },
      annotations: { note: "by the window" },
    });
  });

  test("get another address without being removed", async () => {
    await using fixture = await HubFixture.start();
    const { agent } = await fixture.addHost("alpha");
    await fixture.hostState("alpha", HostState.HOST_STATE_READY);
    const moved = await TcpProxy.start(() => agent.address);
    fixture.defer(() => moved.close());
    const { labels } = await fixture.host("alpha");
    await update(fixture, { addresses: [moved.address] }, ["addresses"]);
    await expect.poll(() => moved.connections).toBeGreaterThan(0);
    expect(await fixture.hostState("alpha", HostState.HOST_STATE_READY)).toMatchObject({
      addresses: [moved.address],
      labels,
    });
  });

  test.each(["state", "uid", "addresses.0"])("refuse a mask with %s", async (path) => {
    await using fixture = await HubFixture.start();
    await fixture.addHost("alpha");
    await expect(update(fixture, {}, [path])).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [expect.objectContaining({ field: "update_mask" })],
    });
  });
});

test("what an agent that hangs does not tell comes from what the hub knows within moments, and is said to be old", async () => {
  await using fixture = await HubFixture.start();
  let proxy: TcpProxy | undefined;
  const host = await fixture.addHost("alpha", {
    via: async (address) => {
      proxy = await TcpProxy.start(() => address);
      return proxy.address;
    },
  });
  fixture.defer(() => proxy?.close());
  host.model.addInstance("vm1", InstanceState.INSTANCE_STATE_RUNNING);
  await fixture.hostState("alpha", HostState.HOST_STATE_READY);
  const told: string[] = [];
  const get = () =>
    fixture.admin.unary(
      InstanceServiceService.getInstance,
      { name: "hosts/alpha/instances/vm1" },
      { onStale: (why) => told.push(why) },
    );
  expect((await get()).instance?.name).toBe("hosts/alpha/instances/vm1");
  expect(told).toEqual([]);
  proxy?.setSilent(true);
  expect((await get()).instance?.name).toBe("hosts/alpha/instances/vm1");
  // Its session is held for lost much later, and then it is not asked at all.
  expect(told).toEqual([expect.stringMatching(/^hosts\/alpha did not answer, last seen \d+ s ago$/)]);
});
