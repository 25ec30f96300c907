import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { failedPrecondition } from "../../../lib/errors.js";
import type { Event } from "../../../proto/gen/zor/v1/event.js";
import { type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { DeleteHostRequest, HostServiceService, UpdateHostRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { LinkCause, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { DeleteLinkRequest, LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { TcpProxy } from "../../fakes/tcp-proxy.js";
import { watched } from "../../helpers/watched.js";
import { HubFixture } from "./fixture.js";
import { createLink, diagnose, getLink, lan, linkNames, linkState, startPair, waitFor } from "./link-steps.js";

describe("links", () => {
  test("a link becomes ACTIVE with the same single ticket at both ends and each pinned to the other's key", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    const operation = await waitFor(fixture, await createLink(fixture, "l1"));
    expect(OperationState[operation.state]).toBe("OPERATION_STATE_SUCCEEDED");
    const link = await getLink(fixture, "l1");
    expect(link.status?.state).toBe(LinkState.LINK_STATE_ACTIVE);
    expect(link.status?.reason).toBe("");
    const [listener, dialer] = [alpha.cables.asked[0], beta.cables.asked[0]];
    expect(listener?.ticket).toHaveLength(32);
    expect(dialer?.ticket).toEqual(listener?.ticket);
    expect(dialer?.peerAddresses).toEqual(["10.77.0.1:7444"]);
    expect(dialer?.peerKeySha256).toEqual(alpha.cables.keySha256);
    expect(listener?.peerKeySha256).toEqual(beta.cables.keySha256);
  });

  test("one MAC address on both sides of a link is said at the link, the lans and in an event, until it is gone", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const plugged = (host: string, mac: string) =>
      Instance.fromPartial({
        name: `hosts/${host}/instances/vm`,
        spec: { nics: [{ name: "eth0", mac, lan: "lan1" }] },
      });
    const mac = "02:00:00:00:00:aa";
    alpha.model.log.upsert({ kind: "instance", value: plugged("alpha", mac) });
    beta.model.log.upsert({ kind: "instance", value: plugged("beta", mac.toUpperCase()) });
    const said =
      /hosts\/alpha\/instances\/vm\/nics\/eth0 and hosts\/beta\/instances\/vm\/nics\/eth0 have one MAC address, 02:00:00:00:00:aa/;
    await expect.poll(async () => (await getLink(fixture, "l1")).status?.reason).toMatch(said);
    expect((await getLink(fixture, "l1")).status).toMatchObject({
      state: LinkState.LINK_STATE_ACTIVE,
      cause: LinkCause.LINK_CAUSE_DUPLICATE_MAC,
    });
    const { diagnosis } = await diagnose(fixture, "l1");
    expect(diagnosis).toMatchObject({ healthy: false, summary: expect.stringMatching(said) });
    const lanReason = async () =>
      (await fixture.admin.unary(LanServiceService.getLan, { name: lan("beta") })).lan?.status?.reason;
    expect(await lanReason()).toMatch(said);
    expect(await nextEvent(fixture, "lan.duplicate-mac")).toMatchObject({ message: expect.stringMatching(said) });
    beta.model.log.upsert({ kind: "instance", value: plugged("beta", "02:00:00:00:00:bb") });
    await expect.poll(async () => (await getLink(fixture, "l1")).status?.reason).toBe("");
    expect(await lanReason()).toBe("");
  });

  test("a host that cannot be dialled is the dialer", async () => {
    await using fixture = await HubFixture.start();
    const { alpha } = await startPair(fixture, { undialable: "alpha" });
    await waitFor(fixture, await createLink(fixture, "l1"));
    expect(alpha.cables.asked[0]?.peerAddresses).toEqual(["10.77.0.2:7444"]);
  });

  test("a host that moved is dialled where an admin says, by name too, and its links follow", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const moved = await TcpProxy.start(() => alpha.agent.address);
    fixture.defer(() => moved.close());
    const port = moved.address.slice(moved.address.lastIndexOf(":") + 1);
    const host = await fixture.host("alpha");
    const set = (more: Partial<Host>) =>
      fixture.admin.unary(
        HostServiceService.updateHost,
        UpdateHostRequest.fromPartial({ host: { ...host, etag: "", ...more }, requestId: crypto.randomUUID() }),
      );
    await expect(set({ addresses: ["10.0.1:7443"] })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [{ field: "host.addresses" }],
    });
    const viewer = await fixture.person("vera", Role.ROLE_OPERATOR);
    await expect(
      viewer.unary(HostServiceService.updateHost, { host, updateMask: undefined, requestId: "", validateOnly: true }),
    ).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    await set({ addresses: [`localhost:${port}`], underlayAddresses: ["10.77.0.7"] });
    await expect.poll(() => moved.connections, { timeout: 60_000 }).toBeGreaterThan(0);
    await fixture.hostState("alpha", HostState.HOST_STATE_READY);
    await expect.poll(() => beta.cables.asked.at(-1)?.peerAddresses, { timeout: 60_000 }).toEqual(["10.77.0.7:7444"]);
    // What the agent says of itself holds again.
    await set({ addresses: [`localhost:${port}`], underlayAddresses: [] });
    await expect.poll(() => beta.cables.asked.at(-1)?.peerAddresses, { timeout: 60_000 }).toEqual(["10.77.0.1:7444"]);
    await linkState(fixture, "l1", LinkState.LINK_STATE_ACTIVE);
  });

  test("deleting a link removes both ends", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const { operation } = await fixture.admin.unary(
      LinkServiceService.deleteLink,
      DeleteLinkRequest.fromPartial({ name: "links/l1" }),
    );
    if (operation === undefined) throw new Error("the answer has no operation");
    expect(OperationState[(await waitFor(fixture, operation)).state]).toBe("OPERATION_STATE_SUCCEEDED");
    expect(alpha.cables.links).toEqual([]);
    expect(beta.cables.links).toEqual([]);
    expect(await linkNames(fixture)).toEqual([]);
  });

  test("an end on a host that is down is removed when the host comes back, also after a restart of the hub", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    beta.agent.kill();
    await fixture.hostState("beta", HostState.HOST_STATE_UNREACHABLE);
    await fixture.admin.unary(LinkServiceService.deleteLink, DeleteLinkRequest.fromPartial({ name: "links/l1" }));
    await expect.poll(() => alpha.cables.links, { timeout: 60_000 }).toEqual([]);
    expect((await getLink(fixture, "l1")).status?.reason).toMatch(/waits to remove an end: hosts\/beta is unreachable/);
    await fixture.restart();
    await fixture.restartAgent(beta);
    await expect.poll(() => linkNames(fixture), { timeout: 60_000 }).toEqual([]);
    expect(beta.cables.links).toEqual([]);
  });

  test("a link whose far agent is unreachable is DEGRADED while the near end is active, and says why", async () => {
    await using fixture = await HubFixture.start();
    const { beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    beta.agent.kill();
    const link = await linkState(fixture, "l1", LinkState.LINK_STATE_DEGRADED);
    expect(link.status?.reason).toMatch(/frames cross, says hosts\/alpha.*hosts\/beta is unreachable/);
    await fixture.restartAgent(beta);
    await linkState(fixture, "l1", LinkState.LINK_STATE_ACTIVE);
  });

  test("a link is DOWN with the reason of the end that is down", async () => {
    await using fixture = await HubFixture.start();
    const { alpha } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    alpha.cables.setState("links/l1", LinkState.LINK_STATE_DOWN, "connection refused by 10.77.0.2:7444");
    const link = await linkState(fixture, "l1", LinkState.LINK_STATE_DOWN);
    expect(link.status?.reason).toBe("hosts/alpha: connection refused by 10.77.0.2:7444");
  });

  test("an end that lost its pairing gets a new ticket", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const first = alpha.cables.asked[0]?.ticket;
    beta.cables.loseEnds();
    await expect.poll(() => beta.cables.links, { timeout: 60_000 }).toEqual(["links/l1"]);
    await linkState(fixture, "l1", LinkState.LINK_STATE_ACTIVE);
    expect(beta.cables.asked.at(-1)?.ticket).not.toEqual(first);
  });

  test("a link that one host refuses for good is undone and its operation fails with the host's reason", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    beta.cables.refusal = failedPrecondition("POLICY", "hosts/beta", "the agent's policy forbids links");
    const operation = await waitFor(fixture, await createLink(fixture, "l1"));
    expect(OperationState[operation.state]).toBe("OPERATION_STATE_FAILED");
    expect(operation.error?.message).toBe("the agent's policy forbids links");
    await expect.poll(() => linkNames(fixture), { timeout: 60_000 }).toEqual([]);
    expect(alpha.cables.links).toEqual([]);
  });

  test.each([
    ["to its own lan", lan("alpha"), lan("alpha"), status.INVALID_ARGUMENT],
    ["to a lan that does not exist", lan("alpha"), lan("beta", "nope"), status.NOT_FOUND],
    ["to a host that does not exist", lan("alpha"), lan("gamma"), status.NOT_FOUND],
    ["to something that is not a lan", lan("alpha"), "hosts/beta/instances/vm1", status.INVALID_ARGUMENT],
    ["to a name with a separator", lan("alpha"), "hosts/beta/lans/a,b", status.INVALID_ARGUMENT],
  ])("a link %s is refused and nothing is stored", async (_what, a, b, code) => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    await expect(createLink(fixture, "l1", { a, b })).rejects.toMatchObject({ code });
    expect(await linkNames(fixture)).toEqual([]);
  });

  test("a link to a host that is down is refused with UNAVAILABLE and its last-seen age", async () => {
    await using fixture = await HubFixture.start();
    const { beta } = await startPair(fixture);
    beta.agent.kill();
    await fixture.hostState("beta", HostState.HOST_STATE_UNREACHABLE);
    await expect(createLink(fixture, "l1")).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      message: expect.stringMatching(/hosts\/beta is UNREACHABLE, last seen \d+ s ago/),
    });
  });

  test("a second link of the same name, and a second cable between the same lans, are refused", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    await expect(createLink(fixture, "l1")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    await expect(createLink(fixture, "l2", { a: lan("beta"), b: lan("alpha") })).rejects.toMatchObject({
      reason: "LINK_LOOP",
    });
  });

  test("a host with links is forgotten only by force, which removes the other ends and leaves its own", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const request = DeleteHostRequest.fromPartial({ name: "hosts/beta" });
    await expect(fixture.admin.unary(HostServiceService.deleteHost, request)).rejects.toMatchObject({
      reason: "HOST_HAS_LINKS",
    });
    await fixture.admin.unary(HostServiceService.deleteHost, { ...request, force: true });
    await expect.poll(() => linkNames(fixture), { timeout: 60_000 }).toEqual([]);
    expect(alpha.cables.links).toEqual([]);
    expect(beta.cables.links).toEqual(["links/l1"]);
  });
});

/** The first event of a type that the hub tells of. */
async function nextEvent(fixture: HubFixture, type: string): Promise<Event> {
  const request = WatchRequest.fromPartial({ kinds: ["event"] });
  for await (const { step } of fixture.admin.stream(WatchServiceService.watch, request, { timeoutMs: 60_000 })) {
    const event = watched(step, "event");
    if (event?.type === type) return event;
  }
  throw new Error(`the hub ended its watch without an event ${type}`);
}
