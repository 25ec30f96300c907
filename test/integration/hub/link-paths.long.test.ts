import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import { A2bServiceService, CreateA2bRequest } from "../../../proto/gen/zor/v1/a2b_service.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import {
  LinkCause,
  LinkEncryption,
  LinkPath,
  LinkRole,
  LinkState,
  LinkTransport,
  LoopPolicy,
} from "../../../proto/gen/zor/v1/link.js";
import { DeleteLinkRequest, LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { RevokeIdentityRequest, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { HubFixture } from "./fixture.js";
import { createLink, getLink, lan, linkNames, linkState, startPair, waitFor } from "./link-steps.js";

const { LINK_STATE_ACTIVE: active, LINK_STATE_DOWN: down } = LinkState;
const inClear = { encryption: LinkEncryption.LINK_ENCRYPTION_NONE };
const vxlan = { transport: LinkTransport.LINK_TRANSPORT_VXLAN };

describe("a link whose hosts cannot reach each other", () => {
  test("goes through the relay, which counts its bytes for it and its hosts, and is closed when the link is deleted", async () => {
    await using fixture = await HubFixture.start({ relay: true });
    const { alpha, beta } = await startPair(fixture, { undialable: "both" });
    const operation = await waitFor(fixture, await createLink(fixture, "l1"));
    expect(OperationState[operation.state]).toBe("OPERATION_STATE_SUCCEEDED");
    expect((await getLink(fixture, "l1")).status).toMatchObject({ state: active, path: LinkPath.LINK_PATH_RELAYED });
    beta.cables.sendRelayed("links/l1", 5000);
    alpha.cables.sendRelayed("links/l1", 700);
    await expect
      .poll(async () => {
        alpha.cables.setState("links/l1", active, "");
        return (await getLink(fixture, "l1")).status?.relayedBytes;
      })
      .toBe(5700n);
    const relayedFor = async (id: string) => {
      const { host } = await fixture.admin.unary(HostServiceService.getHost, { name: `hosts/${id}` });
      return host?.relayedBytes;
    };
    expect([await relayedFor("alpha"), await relayedFor("beta")]).toEqual([5700n, 5700n]);
    await fixture.admin.unary(LinkServiceService.deleteLink, DeleteLinkRequest.fromPartial({ name: "links/l1" }));
    await expect.poll(() => linkNames(fixture), { timeout: 60_000 }).toEqual([]);
    expect(await relayedFor("alpha")).toBe(5700n);
  });

  test("loses the relay within moments of one host's identity being revoked", async () => {
    await using fixture = await HubFixture.start({ relay: true });
    await startPair(fixture, { undialable: "both" });
    await waitFor(fixture, await createLink(fixture, "l1"));
    const request = RevokeIdentityRequest.fromPartial({ identity: "zor://host/beta" });
    await fixture.admin.unary(TokenServiceService.revokeIdentity, request);
    const link = await linkState(fixture, "l1", down);
    expect(link.status?.cause).toBe(LinkCause.LINK_CAUSE_LOST);
  });

  test("cannot be made when the relay is reachable from nowhere else", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture, { undialable: "both" });
    await expect(createLink(fixture, "l1")).rejects.toMatchObject({
      reason: "NO_PATH",
      message: expect.stringMatching(/--relay-listen/),
    });
    expect(await linkNames(fixture)).toEqual([]);
  });

  test("changes its roles when it turns out that only the listener reaches the other", async () => {
    await using fixture = await HubFixture.start({ relay: true });
    const { alpha, beta } = await startPair(fixture);
    fixture.underlay.hide(alpha.cables);
    await waitFor(fixture, await createLink(fixture, "l1"));
    expect((await getLink(fixture, "l1")).status?.path).toBe(LinkPath.LINK_PATH_RELAYED);
    const path = async () => LinkPath[(await getLink(fixture, "l1")).status?.path ?? 0];
    await expect.poll(path, { timeout: 60_000 }).toBe("LINK_PATH_DIRECT");
    expect(beta.cables.asked.at(-1)?.role).toBe(LinkRole.LINK_ROLE_LISTENER);
    expect(alpha.cables.asked.at(-1)).toMatchObject({ role: LinkRole.LINK_ROLE_DIALER, ticket: Buffer.alloc(0) });
  });
});

describe("addresses of a host", () => {
  test("that lead to itself, to a cloud's metadata or to the hub are never given to another host", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    alpha.cables.underlayAddress = "127.0.0.1";
    alpha.agent.kill();
    await fixture.hostState("alpha", HostState.HOST_STATE_UNREACHABLE);
    await fixture.restartAgent(alpha);
    await fixture.hostState("alpha", HostState.HOST_STATE_READY);
    await waitFor(fixture, await createLink(fixture, "l1"));
    expect(beta.cables.asked.every(({ peerAddresses }) => peerAddresses.length === 0)).toBe(true);
  });

  test.each(["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0"])(
    "cannot be %s",
    async (address) => {
      await using fixture = await HubFixture.start();
      const request = CreateHostRequest.fromPartial({ hostId: "gamma", host: { underlayAddresses: [address] } });
      await expect(fixture.admin.unary(HostServiceService.createHost, request)).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [{ field: "host.underlay_addresses" }],
      });
    },
  );
});

describe("a link in clear", () => {
  test("is refused unless the agents of both hosts allow it", async () => {
    await using fixture = await HubFixture.start();
    const { alpha } = await startPair(fixture);
    alpha.cables.allowsPlain = true;
    await expect(createLink(fixture, "l1", inClear)).rejects.toMatchObject({
      reason: "POLICY",
      message: expect.stringMatching(/hosts\/alpha and hosts\/beta|hosts\/beta/),
    });
    expect(await linkNames(fixture)).toEqual([]);
  });

  test("is shown as such where it is allowed", async () => {
    await using fixture = await HubFixture.start();
    const pair = await startPair(fixture);
    for (const host of Object.values(pair)) {
      host.cables.allowsPlain = true;
      host.agent.kill();
    }
    for (const id of ["alpha", "beta"]) await fixture.hostState(id, HostState.HOST_STATE_UNREACHABLE);
    for (const host of [pair.alpha, pair.beta]) await fixture.restartAgent(host);
    for (const id of ["alpha", "beta"]) await fixture.hostState(id, HostState.HOST_STATE_READY);
    await waitFor(fixture, await createLink(fixture, "l1", inClear));
    expect((await getLink(fixture, "l1")).status).toMatchObject({ state: active, protection: "none" });
  });
});

describe("a vxlan link", () => {
  test("is refused where one host does not offer it", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    await expect(createLink(fixture, "l1", vxlan)).rejects.toMatchObject({
      reason: "POLICY",
      message: expect.stringMatching(/does not offer vxlan/),
    });
  });

  test("has an identifier of its own that outlives the hub, and is shown as unprotected", async () => {
    await using fixture = await HubFixture.start();
    const pair = await startPair(fixture);
    for (const host of [pair.alpha, pair.beta]) {
      host.model.addLan("lan2");
      host.cables.transports = [LinkTransport.LINK_TRANSPORT_TCP, LinkTransport.LINK_TRANSPORT_VXLAN];
      host.agent.kill();
    }
    for (const id of ["alpha", "beta"]) await fixture.hostState(id, HostState.HOST_STATE_UNREACHABLE);
    for (const host of [pair.alpha, pair.beta]) await fixture.restartAgent(host);
    for (const id of ["alpha", "beta"]) await fixture.hostState(id, HostState.HOST_STATE_READY);
    for (const [id, on] of [
      ["l1", "lan1"],
      ["l2", "lan2"],
    ] as const) {
      await waitFor(fixture, await createLink(fixture, id, { ...vxlan, a: lan("alpha", on), b: lan("beta", on) }));
    }
    expect((await getLink(fixture, "l1")).status).toMatchObject({ state: active, protection: "none" });
    const idOf = (link: string) => pair.alpha.cables.asked.findLast((spec) => spec.link === link)?.vxlanId ?? 0;
    const before = [idOf("links/l1"), idOf("links/l2")];
    expect(new Set(before).size).toBe(2);
    expect(pair.beta.cables.asked.find((spec) => spec.link === "links/l1")).toMatchObject({
      vxlanId: before[0],
      peerIps: ["10.77.0.1"],
    });
    const asked = pair.alpha.cables.asked.length;
    await fixture.restart();
    const askedSince = (): string[] => pair.alpha.cables.asked.slice(asked).map(({ link }) => link);
    // As often as it likes: what is asked for is the same.
    const both = expect.arrayContaining(["links/l1", "links/l2"]);
    await expect.poll(askedSince, { timeout: 60_000 }).toEqual(both);
    expect([idOf("links/l1"), idOf("links/l2")]).toEqual(before);
  });
});

describe("a link between two lans of one host", () => {
  test("is one end of its host, told as both ends of the link", async () => {
    await using fixture = await HubFixture.start();
    const { alpha } = await startPair(fixture);
    alpha.model.addLan("lan2");
    await waitFor(fixture, await createLink(fixture, "l1", { a: lan("alpha"), b: lan("alpha", "lan2") }));
    expect(alpha.cables.asked).toMatchObject([{ lan: "lan1", localPeerLan: "lan2", peerAddresses: [] }]);
    expect((await getLink(fixture, "l1")).status).toMatchObject({
      state: active,
      path: LinkPath.LINK_PATH_LOCAL,
      endA: { lan: lan("alpha") },
      endB: { lan: lan("alpha", "lan2") },
    });
    await fixture.admin.unary(LinkServiceService.deleteLink, DeleteLinkRequest.fromPartial({ name: "links/l1" }));
    await expect.poll(() => linkNames(fixture), { timeout: 60_000 }).toEqual([]);
    expect(alpha.cables.links).toEqual([]);
  });
});

describe("a link that closes a loop", () => {
  test("is refused with the loop's name, through links and boxes of several hosts", async () => {
    await using fixture = await HubFixture.start();
    const { alpha } = await startPair(fixture);
    alpha.model.addLan("lan2");
    const box = A2b.fromPartial({ name: "hosts/alpha/a2bs/box", spec: { lanA: "lan1", lanB: "lan2" } });
    alpha.model.log.upsert({ kind: "a2b", value: box });
    await waitFor(fixture, await createLink(fixture, "l1"));
    await expect(createLink(fixture, "l2", { a: lan("beta"), b: lan("alpha", "lan2") })).rejects.toMatchObject({
      reason: "LINK_LOOP",
      message: expect.stringContaining(
        "hosts/beta/lans/lan1 - links/l1 - hosts/alpha/lans/lan1 - hosts/alpha/a2bs/box - hosts/alpha/lans/lan2",
      ),
    });
    expect(await linkNames(fixture)).toEqual(["links/l1"]);
  });

  test("is made with loop RSTP when all of its lans run that, and not when one does not", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    for (const host of [alpha, beta]) host.model.addLan("ring", true);
    const rstp = { loop: LoopPolicy.LOOP_POLICY_RSTP };
    const [a, b] = [lan("alpha", "ring"), lan("beta", "ring")];
    await waitFor(fixture, await createLink(fixture, "l1", { a, b }));
    await expect(createLink(fixture, "l2", { a, b })).rejects.toMatchObject({ reason: "LINK_LOOP" });
    const operation = await waitFor(fixture, await createLink(fixture, "l2", { ...rstp, a, b }));
    expect(OperationState[operation.state]).toBe("OPERATION_STATE_SUCCEEDED");
    await waitFor(fixture, await createLink(fixture, "plain"));
    await expect(createLink(fixture, "l3", rstp)).rejects.toMatchObject({
      message: expect.stringMatching(/hosts\/alpha\/lans\/lan1, hosts\/beta\/lans\/lan1 do not/),
    });
  });

  test("is refused even when two are asked for at once", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    const both = await Promise.allSettled([createLink(fixture, "l1"), createLink(fixture, "l2")]);
    expect(both.map(({ status: outcome }) => outcome).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("is refused for a box too, when the loop goes through another host", async () => {
    await using fixture = await HubFixture.start();
    const { alpha } = await startPair(fixture);
    alpha.model.addLan("lan2");
    await waitFor(fixture, await createLink(fixture, "l1"));
    await waitFor(fixture, await createLink(fixture, "l2", { a: lan("alpha", "lan2"), b: lan("beta") }));
    const request = CreateA2bRequest.fromPartial({
      parent: "hosts/alpha",
      a2bId: "box",
      a2b: { spec: { lanA: "lan1", lanB: "lan2" } },
    });
    await expect(fixture.admin.unary(A2bServiceService.createA2B, request)).rejects.toMatchObject({
      reason: "LINK_LOOP",
    });
  });
});
