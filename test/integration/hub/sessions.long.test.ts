import { describe, expect, test } from "vitest";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import {
  InstanceServiceService,
  ListInstancesRequest,
  StartInstanceRequest,
} from "../../../proto/gen/zor/v1/instance_service.js";
import { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { TcpProxy } from "../../fakes/tcp-proxy.js";
import { eventually } from "../../helpers/eventually.js";
import { HubFixture } from "./fixture.js";

const { HOST_STATE_READY, HOST_STATE_UNREACHABLE, HOST_STATE_INCOMPATIBLE } = HostState;

describe("the hub's sessions with agents", () => {
  test("a joined host becomes READY and what is on it is listed", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await fixture.addHost("alpha");
    alpha.model.addInstance("vm1", InstanceState.INSTANCE_STATE_RUNNING);
    await fixture.hostState("alpha", HOST_STATE_READY);
    const listed = await fixture.admin.unary(
      InstanceServiceService.listInstances,
      ListInstancesRequest.fromPartial({}),
    );
    expect(listed.instances.map(({ name }) => name)).toEqual(["hosts/alpha/instances/vm1"]);
    expect(listed.unreachable).toEqual([]);
  });

  test("a silent agent is UNREACHABLE within seconds with everything last known kept, and READY again when it speaks", async () => {
    await using fixture = await HubFixture.start();
    const proxies: TcpProxy[] = [];
    const alpha = await fixture.addHost("alpha", {
      via: async (address) => {
        const proxy = await TcpProxy.start(() => address);
        fixture.defer(() => proxy.close());
        proxies.push(proxy);
        return proxy.address;
      },
    });
    alpha.model.addInstance("vm1");
    await fixture.hostState("alpha", HOST_STATE_READY);
    proxies[0]?.setSilent(true);
    const host = await fixture.hostState("alpha", HOST_STATE_UNREACHABLE, 30_000);
    expect(host.lastSeenTime).toBeInstanceOf(Date);
    expect(host.lastSeenAge?.seconds).toBeGreaterThanOrEqual(1n);
    expect(host.fingerprint?.cpus).toBe(2);
    const listed = await fixture.admin.unary(
      InstanceServiceService.listInstances,
      ListInstancesRequest.fromPartial({}),
    );
    expect(listed.instances.map(({ name }) => name)).toEqual(["hosts/alpha/instances/vm1"]);
    expect(listed.unreachable.map(({ name }) => name)).toEqual(["hosts/alpha"]);
    await expect(
      fixture.admin.unary(
        InstanceServiceService.startInstance,
        StartInstanceRequest.fromPartial({ name: "hosts/alpha/instances/vm1" }),
      ),
    ).rejects.toMatchObject({ reason: "HOST_NOT_READY", message: expect.stringMatching(/last seen \d+ s ago/) });
    proxies[0]?.setSilent(false);
    await fixture.hostState("alpha", HOST_STATE_READY);
  });

  test("an agent that speaks of what is not its own is not believed, and shown for what it is", async () => {
    await using fixture = await HubFixture.start();
    const [beta, gamma] = [await fixture.addHost("beta"), await fixture.addHost("gamma")];
    beta.model.addInstance("vm2");
    gamma.model.addInstance("vm1");
    for (const host of ["beta", "gamma"]) await fixture.hostState(host, HOST_STATE_READY);
    const lie = (name: string) => gamma.model.log.upsert({ kind: "instance", value: Instance.fromPartial({ name }) });
    lie("hosts/gamma/instances/../../beta/instances/vm2");
    lie("hosts/beta/instances/vm2");
    gamma.model.log.remove("instance", "hosts/beta/instances/vm2");
    gamma.model.log.upsert({
      kind: "operation",
      value: Operation.fromPartial({ name: "hosts/gamma/operations/o1", target: "hosts/beta/instances/vm2" }),
    });
    gamma.model.log.upsert({
      kind: "instance",
      value: Instance.fromPartial({
        name: "hosts/gamma/instances/vm3",
        spec: { nics: [{ name: "eth0", lan: "../x" }] },
      }),
    });
    gamma.model.addInstance("vm4");
    await eventually(async () => {
      const { instances } = await fixture.admin.unary(
        InstanceServiceService.listInstances,
        ListInstancesRequest.fromPartial({}),
      );
      expect(instances.map(({ name }) => name).sort()).toEqual([
        "hosts/beta/instances/vm2",
        "hosts/gamma/instances/vm1",
        "hosts/gamma/instances/vm4",
      ]);
    });
    const host = await fixture.hostState("gamma", HOST_STATE_READY);
    expect(host.refusedStatements).toBe(5n);
    expect(host.reason).toContain("refused 5 statements of its agent");
    const honest = await fixture.hostState("beta", HOST_STATE_READY);
    expect(honest).toMatchObject({ refusedStatements: 0n, reason: "" });
  });

  test("a restarted agent is read again and what is gone from it is removed", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await fixture.addHost("alpha");
    alpha.model.addInstance("kept");
    alpha.model.addInstance("gone");
    await fixture.hostState("alpha", HOST_STATE_READY);
    alpha.agent.kill();
    await fixture.hostState("alpha", HOST_STATE_UNREACHABLE);
    alpha.model.removeInstance("hosts/alpha/instances/gone");
    await fixture.restartAgent(alpha);
    await fixture.hostState("alpha", HOST_STATE_READY);
    const listed = await fixture.admin.unary(
      InstanceServiceService.listInstances,
      ListInstancesRequest.fromPartial({}),
    );
    expect(listed.instances.map(({ name }) => name)).toEqual(["hosts/alpha/instances/kept"]);
  });

  test("an agent that accepts and says nothing delays neither lists nor other hosts", async () => {
    await using fixture = await HubFixture.start();
    await fixture.addHost("mute", {
      via: async () => {
        const proxy = await TcpProxy.start(() => "");
        fixture.defer(() => proxy.close());
        return proxy.address;
      },
    });
    const good = await fixture.addHost("good");
    good.model.addLan("lan1");
    await fixture.hostState("good", HOST_STATE_READY);
    const { hosts, unreachable } = await fixture.admin.unary(
      HostServiceService.listHosts,
      ListHostsRequest.fromPartial({}),
    );
    expect(hosts.map(({ name }) => name)).toEqual(["hosts/good", "hosts/mute"]);
    expect(unreachable.map(({ name }) => name)).toEqual(["hosts/mute"]);
    await fixture.hostState("mute", HOST_STATE_UNREACHABLE);
  });

  test("an agent that speaks another API level is INCOMPATIBLE", async () => {
    await using fixture = await HubFixture.start();
    await fixture.addHost("future", { apiLevel: 99 });
    const host = await fixture.hostState("future", HOST_STATE_INCOMPATIBLE);
    expect(host.reason).toMatch(/upgrade the older/);
  });

  test("a host whose address answers with another host's certificate is not taken for it", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await fixture.addHost("alpha");
    await fixture.addHost("beta", { via: async () => alpha.agent.address });
    const beta = await fixture.hostState("beta", HOST_STATE_UNREACHABLE);
    expect(beta.reason).toMatch(/not for beta\.host\.zor/);
    expect((await fixture.hostState("alpha", HOST_STATE_READY)).name).toBe("hosts/alpha");
  });

  test("after a restart of the hub, hosts are there at once and the fleet is rebuilt from the agents", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await fixture.addHost("alpha");
    alpha.model.addInstance("vm1");
    await fixture.hostState("alpha", HOST_STATE_READY);
    await fixture.restart();
    expect((await fixture.host("alpha")).name).toBe("hosts/alpha");
    await fixture.hostState("alpha", HOST_STATE_READY);
    const { instance } = await fixture.admin.unary(InstanceServiceService.getInstance, {
      name: "hosts/alpha/instances/vm1",
    });
    expect(instance?.uid).toBe(alpha.model.instance("hosts/alpha/instances/vm1").uid);
  });

  test("a host that is still down after a restart of the hub keeps the time it was last seen", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await fixture.addHost("alpha");
    await fixture.hostState("alpha", HOST_STATE_READY);
    alpha.agent.kill();
    const before = await fixture.hostState("alpha", HOST_STATE_UNREACHABLE);
    await fixture.restart();
    const after = await fixture.hostState("alpha", HOST_STATE_UNREACHABLE);
    expect(after.reason).toBe(`cannot reach ${alpha.agent.address}: connect ECONNREFUSED ${alpha.agent.address}`);
    expect(after.lastSeenTime).toEqual(before.lastSeenTime);
  });
});
