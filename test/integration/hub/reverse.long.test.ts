import { watched } from "../../helpers/watched.js";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { dialOutForever } from "../../../agent/dial-out.js";
import { IdentityHolder } from "../../../agent/identity-holder.js";
import { Authority } from "../../../hub/pki/authority.js";
import { publicKeyOfCsr } from "../../../hub/pki/csr.js";
import { profileOf } from "../../../hub/pki/profile.js";
import { createServerTls } from "../../../lib/grpc/server.js";
import { createLog } from "../../../lib/log.js";
import { createCsr } from "../../../lib/tls/csr.js";
import { derToPem } from "../../../lib/tls/identity.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService, UpdateHostRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService, ListInstancesRequest } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import type { Event } from "../../../proto/gen/zor/v1/event.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { FakeAgent } from "../../fakes/agent.js";
import { FakeHostModel } from "../../fakes/agent-model.js";
import { DialOut } from "../../fakes/dial-out.js";
import { TcpProxy } from "../../fakes/tcp-proxy.js";
import { type FakeHost, HubFixture } from "./fixture.js";

async function startDialledIn(fixture: HubFixture): Promise<{ host: FakeHost; dialOut: DialOut }> {
  const host = await fixture.addHost("inner", { via: async () => "" });
  const dialOut = new DialOut(host.agent.server, host.identity, fixture.hub.addresses.reverse[0] ?? "");
  fixture.defer(() => dialOut.close());
  dialOut.dial();
  return { host, dialOut };
}

describe("agents that dial the hub", () => {
  test("a host that cannot be dialled is served over the connection its agent opened", async () => {
    await using fixture = await HubFixture.start();
    const { host } = await startDialledIn(fixture);
    host.model.addInstance("vm1");
    host.model.addLan("lan1");
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
    const { instances } = await fixture.admin.unary(
      InstanceServiceService.listInstances,
      ListInstancesRequest.fromPartial({}),
    );
    expect(instances.map(({ name }) => name)).toEqual(["hosts/inner/instances/vm1"]);
    const { lan } = await fixture.admin.unary(LanServiceService.getLan, { name: "hosts/inner/lans/lan1" });
    expect(lan?.uid).toBe(host.model.lan("hosts/inner/lans/lan1").uid);
  });

  test("a lost connection makes the host UNREACHABLE and the next one READY again", async () => {
    await using fixture = await HubFixture.start();
    const { host, dialOut } = await startDialledIn(fixture);
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
    dialOut.close();
    await fixture.hostState("inner", HostState.HOST_STATE_UNREACHABLE);
    const again = new DialOut(host.agent.server, host.identity, fixture.hub.addresses.reverse[0] ?? "");
    fixture.defer(() => again.close());
    again.dial();
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
  });

  test("a host whose certificate expired is shown as such: since when, and what heals it", async () => {
    await using fixture = await HubFixture.start();
    const host = await fixture.addHost("inner", { via: async () => "" });
    const profile = {
      ...profileOf({ kind: "host", id: "inner", role: Role.ROLE_UNSPECIFIED }, { hostDays: 1, personDays: 1 }),
    };
    const authority = await Authority.open(join(fixture.state, "ca"));
    const csr = await publicKeyOfCsr("csr", await createCsr(host.identity.keyPem));
    const { der } = await authority.issue(csr, "inner", { ...profile, lifetimeMs: -60_000 });
    const expired = { ...host.identity, certificatePem: derToPem(der) };
    const dialOut = new DialOut(host.agent.server, expired, fixture.hub.addresses.reverse[0] ?? "");
    fixture.defer(() => dialOut.close());
    dialOut.dial();
    await expect
      .poll(async () => (await fixture.host("inner")).reason, { timeout: 60_000 })
      .toMatch(
        /^its agent's certificate \(zor:\/\/host\/inner\) expired at 20.*Z, .* ago.*zor token create --host inner/,
      );
  });

  test("of two live copies of a host the second is refused, and agent, host and events name both and the remedy", async () => {
    await using fixture = await HubFixture.start();
    const host = await fixture.addHost("inner", { via: async () => "" });
    const first = await startCopy(fixture, host);
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
    const second = await startCopy(fixture, host);
    await expect.poll(() => second.refusals.length, { timeout: 60_000 }).toBeGreaterThan(1);
    const [why = ""] = second.refusals;
    expect(why).toMatch(
      /^two live agents have the identity of hosts\/inner: the one at 127\.0\.0\.1:(\d+) is used, the one at 127\.0\.0\.1:(?!\1 )\d+ is refused; stop .*zor host add/,
    );
    expect(new Set(second.refusals)).toEqual(new Set([why]));
    expect(await fixture.host("inner")).toMatchObject({ state: HostState.HOST_STATE_READY, reason: why });
    const events = (await eventsOf(fixture)).filter(({ type }) => type === "host.copy-refused");
    expect(events.map(({ message, resource }) => [resource, message])).toEqual([["hosts/inner", why]]);
    expect([first.refusals, first.greetings()]).toEqual([[], 1]);
    expect(second.greetings()).toBe(0);

    // The one that is used ends: the other has its place.
    first.stop();
    await expect.poll(() => second.greetings(), { timeout: 60_000 }).toBe(1);
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
  });

  test("an agent that does not answer any more loses its place to one that comes anew", async () => {
    await using fixture = await HubFixture.start();
    const host = await fixture.addHost("inner", { via: async () => "" });
    const proxy = await TcpProxy.start(() => fixture.hub.addresses.reverse[0] ?? "");
    fixture.defer(() => proxy.close());
    await startCopy(fixture, host, proxy.address);
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
    // As of a machine that lost its power: nothing is closed, nothing comes.
    proxy.setSilent(true);
    const second = await startCopy(fixture, host);
    await expect.poll(() => second.greetings(), { timeout: 60_000 }).toBe(1);
    expect(second.refusals).toEqual([]);
  });

  test("of two copies at addresses of which one is new, the one that was there stays while it lives", async () => {
    await using fixture = await HubFixture.start();
    const host = await fixture.addHost("inner");
    await fixture.hostState("inner", HostState.HOST_STATE_READY);
    const model = new FakeHostModel("inner");
    const { cables, identity } = host;
    const copy = await FakeAgent.start({ model, cables, identity });
    fixture.defer(() => copy.kill());
    const { host: changed } = await fixture.admin.unary(
      HostServiceService.updateHost,
      UpdateHostRequest.fromPartial({
        host: { name: "hosts/inner", addresses: [copy.address] },
      }),
    );
    expect(changed?.addresses).toEqual([copy.address]);
    const { reason } = await fixture.hostState("inner", HostState.HOST_STATE_UNREACHABLE);
    expect(reason).toContain(`the one at ${host.agent.address} is used, the one at ${copy.address} is refused`);
    await expect.poll(() => model.refusal).toBe(reason);
    host.agent.kill();
    await fixture.hostState("inner", HostState.HOST_STATE_READY, 20_000);
  });
});

/** One more live agent of a host, which dials out as the real one does. */
async function startCopy(
  fixture: HubFixture,
  { identity, cables }: FakeHost,
  via = fixture.hub.addresses.reverse[0] ?? "",
) {
  const model = new FakeHostModel("inner");
  const agent = await FakeAgent.start({ model, cables, identity });
  const { credentials } = createServerTls(identity, "required");
  const injector = agent.server.createConnectionInjector(credentials);
  const ending = new AbortController();
  const refusals: string[] = [];
  const used: Duplex[] = [];
  const dialling = dialOutForever(
    {
      identity: new IdentityHolder(identity),
      boot: model.log.epoch,
      addresses: [via],
      accept: (socket) => {
        used.push(socket);
        injector.injectConnection(socket);
      },
      onRefused: (why) => refusals.push(why),
      log: createLog("copy-test", { write: () => undefined }),
    },
    ending.signal,
  );
  const stop = (): void => {
    ending.abort();
    agent.kill();
    for (const socket of used) socket.destroy();
  };
  fixture.defer(async () => {
    stop();
    await dialling;
  });
  return {
    refusals,
    stop,
    greetings: () => agent.calls.filter(({ method }) => method.endsWith("/Hello")).length,
  };
}

/** All events so far. */
async function eventsOf(fixture: HubFixture): Promise<readonly Event[]> {
  const events: Event[] = [];
  const request = WatchRequest.fromPartial({ kinds: ["event"] });
  for await (const { step } of fixture.admin.stream(WatchServiceService.watch, request, { timeoutMs: 60_000 })) {
    const event = watched(step, "event");
    if (event !== undefined) events.push(event);
    if (step?.$case === "snapshotEnd") break;
  }
  return events;
}
