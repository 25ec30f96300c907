import { watched } from "../../helpers/watched.js";
import { describe, expect, test } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { join } from "../../../lib/tls/join.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { LinkState } from "../../../proto/gen/zor/v1/link.js";
import { CreateLinkRequest, LinkServiceService, ListLinksRequest } from "../../../proto/gen/zor/v1/link_service.js";
import { TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { type WatchPosition, WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { FakeAgent } from "../../fakes/agent.js";
import { FakeCables, FakeUnderlay } from "../../fakes/agent-cables.js";
import { FakeHostModel } from "../../fakes/agent-model.js";
import { HubProcess } from "./hub-process.js";

const hostRequest = (index: number): CreateHostRequest =>
  CreateHostRequest.fromPartial({ hostId: `h${index}`, requestId: `host-${index}` });

interface Fleet extends AsyncDisposable {
  readonly hosts: readonly string[];
}

/** Waits until the hub has a session with each of the hosts. */
async function ready(admin: Connection, hosts: readonly string[]): Promise<void> {
  const stateOf = async (id: string) =>
    (await admin.unary(HostServiceService.getHost, { name: `hosts/${id}` })).host?.state;
  for (const id of hosts) await expect.poll(() => stateOf(id), { timeout: 60_000 }).toBe(HostState.HOST_STATE_READY);
}

/** Hosts with fake agents, each with lans, joined to the hub. */
async function startFleet(hub: HubProcess, hosts: readonly string[], lans: number): Promise<Fleet> {
  const admin = await hub.connect();
  const underlay = new FakeUnderlay();
  const agents: FakeAgent[] = [];
  for (const [index, id] of hosts.entries()) {
    const model = new FakeHostModel(id);
    for (let lan = 0; lan < lans; lan += 1) model.addLan(`lan${lan}`);
    const cables = new FakeCables(model, underlay, `10.78.0.${index + 1}`);
    const { joinToken } = await admin.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId: id }),
    );
    const facts = { addresses: [], underlayAddresses: [], undialable: false, uid: model.uid };
    // Joined twice: the first gives the identity to serve with, the second tells the address this gives.
    const first = await join(joinToken, { host: facts });
    const agent = await FakeAgent.start({ model, cables, identity: first.identity });
    agents.push(agent);
    const { token } = await admin.unary(TokenServiceService.createToken, {
      subject: { $case: "hostId", value: id },
      role: 0,
      ttl: undefined,
      requestId: "",
    });
    await join(token, { host: { ...facts, addresses: [agent.address] } });
  }
  await ready(admin, hosts);
  admin.close();
  return {
    hosts,
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) agent.kill();
    },
  };
}

describe("a hub that is killed", () => {
  test("has every acknowledged host and link afterwards, lets every request be repeated, and carries links on to ACTIVE", async () => {
    await using hub = await HubProcess.start();
    await using _fleet = await startFleet(hub, ["alpha", "beta"], 40);
    const admin = await hub.connect();
    const sent: CreateLinkRequest[] = [];
    const answers = new Map<string, string>();
    const burst = async (): Promise<void> => {
      while (sent.length < 39) {
        const index = sent.length + 1;
        const spec = { a: `hosts/alpha/lans/lan${index}`, b: `hosts/beta/lans/lan${index}` };
        const link = CreateLinkRequest.fromPartial({ linkId: `l${index}`, link: { spec }, requestId: `link-${index}` });
        sent.push(link);
        await admin.unary(HostServiceService.createHost, hostRequest(index));
        answers.set(`hosts/h${index}`, "");
        const { operation } = await admin.unary(LinkServiceService.createLink, link);
        answers.set(`links/l${index}`, operation?.name ?? "");
        // Several are told of at once: the number may go past this one between two looks.
        if (answers.size >= 24) void hub.kill();
      }
    };
    const outcomes = await Promise.allSettled([burst(), burst(), burst()]);
    await hub.kill();
    admin.close();
    // The kill must have come in the middle of the burst for this to prove anything.
    expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
    expect(answers.size).toBeGreaterThanOrEqual(24);

    await hub.run();
    const again = await hub.connect();
    const { hosts } = await again.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}));
    const links = async () => (await again.unary(LinkServiceService.listLinks, ListLinksRequest.fromPartial({}))).links;
    const there = [...hosts, ...(await links())].map(({ name }) => name);
    expect(there).toEqual(expect.arrayContaining([...answers.keys()]));

    // Whether it was acknowledged or not, every request can be sent again; what was acknowledged gets the same answer.
    await ready(again, ["alpha", "beta"]);
    for (const [index, request] of sent.entries()) {
      const { host } = await again.unary(HostServiceService.createHost, hostRequest(index + 1));
      expect(host?.name).toBe(`hosts/h${index + 1}`);
      const { operation } = await again.unary(LinkServiceService.createLink, request);
      expect(operation?.name).toBe(answers.get(`links/${request.linkId}`) ?? operation?.name);
    }
    expect(await links()).toHaveLength(sent.length);
    await expect
      .poll(async () => (await links()).filter(({ status }) => status?.state !== LinkState.LINK_STATE_ACTIVE).length, {
        timeout: 60_000,
      })
      .toBe(0);
    again.close();
  });

  test("is found again by a watcher, which gets a reset and everything anew", async () => {
    await using hub = await HubProcess.start();
    await using _fleet = await startFleet(hub, ["alpha"], 3);
    const admin = await hub.connect();
    let position: WatchPosition | undefined;
    const watching = (async () => {
      for await (const step of admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({}))) {
        if (step.step?.$case === "snapshotEnd") {
          position = step.position;
          void hub.kill();
        }
      }
    })();
    await expect(watching).rejects.toMatchObject({ reason: "NO_CONNECTION" });
    await hub.run();
    const lans = new Set<string>();
    let resets = 0;
    for await (const { step } of admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({ position }))) {
      if (step?.$case === "reset") resets += 1;
      const lan = watched(step, "lan");
      if (lan !== undefined) lans.add(lan.name);
      if (lans.size === 3) break;
    }
    expect(resets).toBe(1);
    admin.close();
  });
});
