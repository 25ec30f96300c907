import { watched } from "../../helpers/watched.js";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { notFound } from "../../../lib/errors.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { Direction } from "../../../proto/gen/zor/v1/impairment.js";
import { Link, LinkCause, LinkSpec, LinkState } from "../../../proto/gen/zor/v1/link.js";
import {
  DeleteLinkRequest,
  HopVerdict,
  LinkServiceService,
  UpdateLinkRequest,
} from "../../../proto/gen/zor/v1/link_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { HubFixture } from "./fixture.js";
import { createLink, diagnose, getLink, lan, linkState, startPair, waitFor } from "./link-steps.js";

const { HOP_VERDICT_OK: ok, HOP_VERDICT_BROKEN: broken, HOP_VERDICT_SKIPPED: skipped } = HopVerdict;

function change(fixture: HubFixture, spec: Partial<LinkSpec>, more: Partial<UpdateLinkRequest> = {}) {
  const whole = LinkSpec.fromPartial({ a: lan("alpha"), b: lan("beta"), ...spec });
  const link = Link.fromPartial({ name: "links/l1", spec: whole, labels: { site: "east" } });
  return fixture.admin.unary(LinkServiceService.updateLink, UpdateLinkRequest.fromPartial({ link, ...more }));
}

describe("changing a link", () => {
  test("reaches both ends, each with what happens to the frames it sends, and survives the hub", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const { link } = await change(fixture, {
      aToB: LinkSpec.fromPartial({ aToB: { lossRatio: 0.1 } }).aToB,
      bToA: LinkSpec.fromPartial({ bToA: { rateBps: 1_000_000n } }).bToA,
      seed: 42n,
      schedule: LinkSpec.fromPartial({
        schedule: [
          {
            direction: Direction.DIRECTION_B_TO_A,
            duration: { seconds: 5n, nanos: 0 },
            impairment: { down: true },
          },
        ],
      }).schedule,
    });
    expect(link).toMatchObject({ labels: { site: "east" }, status: { state: LinkState.LINK_STATE_ACTIVE } });
    const last = () => [alpha.cables.asked.at(-1), beta.cables.asked.at(-1)];
    await expect
      .poll(() => last().map((spec) => [spec?.impairment?.lossRatio, spec?.schedule.length]))
      .toEqual([
        [0.1, 0],
        [0, 1],
      ]);
    const [seedA, seedB] = last().map((spec) => spec?.seed);
    expect(seedA).toBe(42n);
    expect([0n, seedA]).not.toContain(seedB);
    expect(last().map((spec) => spec?.ticket.length)).toEqual([0, 0]);
    await fixture.restart();
    expect((await getLink(fixture, "l1")).spec).toMatchObject({ aToB: { lossRatio: 0.1 }, seed: 42n });
  });

  test.each<[string, Partial<LinkSpec>, string]>([
    ["another lan", { b: lan("beta", "lan2") }, "link.spec.b"],
    ["another transport", { transport: 2 }, "link.spec.transport"],
    ["another protection", { encryption: 2 }, "link.spec.encryption"],
    ["a loss above 1", LinkSpec.fromPartial({ aToB: { lossRatio: 1.5 } }), "link.spec.a_to_b.loss_ratio"],
    [
      "a filter that does not compile",
      LinkSpec.fromPartial({ bToA: { dropFilter: "nonsense" } }),
      "link.spec.b_to_a.drop_filter",
    ],
    [
      "a step that never ends",
      LinkSpec.fromPartial({ schedule: [{ impairment: {} }] }),
      "link.spec.schedule[0].duration",
    ],
  ])("to %s is refused and changes nothing", async (_what, spec, field) => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    const before = (await getLink(fixture, "l1")).spec;
    const wanted = { ...spec, a: lan("alpha"), b: spec.b === undefined || spec.b === "" ? lan("beta") : spec.b };
    await expect(change(fixture, wanted)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: expect.arrayContaining([expect.objectContaining({ field })]),
    });
    expect((await getLink(fixture, "l1")).spec).toEqual(before);
  });

  test("is recognised when it comes again, checked only on request, and refused for a link that is not there", async () => {
    await using fixture = await HubFixture.start();
    await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    await change(fixture, { seed: 1n }, { requestId: "r1" });
    await change(fixture, { seed: 2n }, { requestId: "r2" });
    await change(fixture, { seed: 1n }, { requestId: "r1" });
    expect((await getLink(fixture, "l1")).spec?.seed).toBe(2n);
    await change(fixture, { seed: 3n }, { validateOnly: true });
    expect((await getLink(fixture, "l1")).spec?.seed).toBe(2n);
    await expect(change(fixture, { seed: 3n }, { requestId: "r1" })).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
    const request = DeleteLinkRequest.fromPartial({ name: "links/l1" });
    await fixture.admin.unary(LinkServiceService.deleteLink, request);
    await expect.poll(() => change(fixture, {}).catch((error: { reason: string }) => error.reason)).toBe("NOT_FOUND");
  });
});

test("a direction set down on purpose is told at once, in the state and by doctor, until it is taken back", async () => {
  await using fixture = await HubFixture.start();
  const { beta } = await startPair(fixture);
  await waitFor(fixture, await createLink(fixture, "l1"));
  const down = LinkSpec.fromPartial({ aToB: { down: true }, bToA: { down: true } });
  const reason = "impaired on purpose: nothing passes from hosts/alpha to hosts/beta";
  const statusAfter = async (spec: Partial<LinkSpec>) => {
    await change(fixture, spec);
    return (await getLink(fixture, "l1")).status;
  };
  const impaired = { state: LinkState.LINK_STATE_DEGRADED, cause: LinkCause.LINK_CAUSE_IMPAIRED };
  expect(await statusAfter({ aToB: down.aToB })).toMatchObject({ ...impaired, reason, lossRatio: 1 });
  expect(await diagnose(fixture, "l1")).toMatchObject({ diagnosis: { healthy: false, summary: reason } });
  expect(beta.cables.asked.at(-1)?.impairment).toBeUndefined();
  expect((await statusAfter({ aToB: down.aToB, bToA: down.bToA }))?.reason).toBe(
    "impaired on purpose: nothing passes in either direction",
  );
  expect(await statusAfter({})).toMatchObject({ state: LinkState.LINK_STATE_ACTIVE, reason: "", lossRatio: 0 });
});

test("every change of a link's state is an event with its cause", async () => {
  await using fixture = await HubFixture.start();
  const { alpha } = await startPair(fixture);
  await waitFor(fixture, await createLink(fixture, "l1"));
  const cause = LinkCause.LINK_CAUSE_CERTIFICATE;
  alpha.cables.setState("links/l1", LinkState.LINK_STATE_DOWN, "the key is not the pinned one", cause);
  expect((await linkState(fixture, "l1", LinkState.LINK_STATE_DOWN)).status?.cause).toBe(cause);
  const request = WatchRequest.fromPartial({ kinds: ["event"] });
  const messages: string[] = [];
  for await (const { step } of fixture.admin.stream(WatchServiceService.watch, request)) {
    if (step?.$case === "snapshotEnd") break;
    const event = watched(step, "event");
    if (event !== undefined) messages.push(event.message);
  }
  expect(messages).toContain("links/l1 is down (certificate): hosts/alpha: the key is not the pinned one");
  expect(messages).toContain("links/l1 is active");
});

describe("diagnosing a link", () => {
  const hop = (name: string, verdict = ok) => ({ host: "", hop: name, verdict, detail: `${name} seen`, remedy: "" });

  test("asks both agents, tells of their hops in order and concludes", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    alpha.cables.hops = ["lan", "tap", "engine", "socket", "path", "peer"].map((name) => hop(name));
    beta.cables.hops = [hop("lan"), { ...hop("tap", broken), remedy: "mend it" }, hop("engine", skipped)];
    const { hops, diagnosis } = await diagnose(fixture, "l1");
    expect(hops.map(({ host, hop: name }) => `${host} ${name}`)).toEqual([
      ...["agent", "lan", "tap", "engine", "socket", "path", "peer"].map((name) => `hosts/alpha ${name}`),
      ...["agent", "lan", "tap", "engine"].map((name) => `hosts/beta ${name}`),
    ]);
    expect(diagnosis).toEqual({
      healthy: false,
      summary: "tap on hosts/beta is broken: tap seen",
      remedy: "mend it",
    });
    beta.cables.hops = [hop("lan")];
    expect((await diagnose(fixture, "l1")).diagnosis.healthy).toBe(true);
  });

  test("says which agent does not answer, and tests the other host", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    beta.cables.hops = [hop("lan"), hop("path")];
    alpha.agent.kill();
    await fixture.hostState("alpha", HostState.HOST_STATE_UNREACHABLE);
    const { hops, diagnosis } = await diagnose(fixture, "l1");
    expect(hops.map(({ host, hop: name, verdict }) => [host, name, verdict])).toEqual([
      ["hosts/alpha", "agent", broken],
      ["hosts/alpha", "engine", skipped],
      ["hosts/beta", "agent", ok],
      ["hosts/beta", "lan", ok],
      ["hosts/beta", "path", ok],
    ]);
    expect(diagnosis.healthy).toBe(false);
    expect(diagnosis.summary).toMatch(
      /^agent on hosts\/alpha is broken: its agent is unreachable, last seen \d+ s ago/,
    );
    expect(diagnosis.remedy).toMatch(/zor agent run/);
  });

  test("says that a host has no end of the link, and why it could not be made", async () => {
    await using fixture = await HubFixture.start();
    const { alpha, beta } = await startPair(fixture);
    await waitFor(fixture, await createLink(fixture, "l1"));
    alpha.cables.hops = [hop("lan")];
    beta.cables.refusal = notFound("lans/lan1");
    beta.cables.loseEnds();
    await expect
      .poll(async () => (await diagnose(fixture, "l1")).diagnosis.summary, { timeout: 60_000 })
      .toMatch(/^engine on hosts\/beta is broken: the host has no end of this link: lans\/lan1 does not exist/);
    expect((await getLink(fixture, "l1")).status?.cause).toBe(LinkCause.LINK_CAUSE_LAN_GONE);
  });

  test("tells which host has not come to the relay", async () => {
    await using fixture = await HubFixture.start({ relay: true });
    const { alpha, beta } = await startPair(fixture, { undialable: "both" });
    await waitFor(fixture, await createLink(fixture, "l1"));
    for (const { cables } of [alpha, beta]) cables.hops = [hop("lan")];
    const relayed = await diagnose(fixture, "l1");
    expect(relayed.hops.at(-1)).toMatchObject({ host: "", hop: "relay", verdict: ok });
    expect(relayed.diagnosis.healthy).toBe(true);
    beta.cables.close();
    await linkState(fixture, "l1", LinkState.LINK_STATE_DOWN);
    const { diagnosis } = await diagnose(fixture, "l1");
    expect(diagnosis.summary).toMatch(
      /relay is broken: hosts\/alpha and hosts\/beta have not come to the relay at 10\.77\.9\.9/,
    );
  });

  test("of a link that does not exist is refused", async () => {
    await using fixture = await HubFixture.start();
    await expect(diagnose(fixture, "nope")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});
