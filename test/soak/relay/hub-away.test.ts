import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { waitForHub } from "../../../deploy/demo/hub-client.js";
import { findProgram, hubProgram } from "../../../deploy/demo/programs.js";
import { findRelays } from "../../../hub/relay/kept/relay-process.js";
import { endProcess } from "../../../lib/process.js";
import { EventServiceService, ListEventsRequest } from "../../../proto/gen/zor/v1/event_service.js";
import { RevokeIdentityRequest, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { pingEvery } from "../../helpers/pings.js";
import { startCopy } from "../../integration/c2c-faults/copy.js";
import { FaultFleet } from "../../integration/c2c-faults/fault-fleet.js";

const mebibyte = 1024 * 1024;

/** A real hub and two real agents whose link goes through the relay. */
async function relayedFleet() {
  const fleet = await FaultFleet.make();
  onTestFinished(() => fleet[Symbol.asyncDispose]());
  await fleet.refuseDirect();
  for (const host of fleet.hosts)
    await eventually(async () => expect(await fleet.end(host)).toMatchObject({ path: "relayed", phase: "active" }));
  const { signal } = new AbortController();
  return {
    fleet,
    connects: () => Promise.all(fleet.hosts.map(async (host) => (await fleet.end(host)).connects)),
    relays: () => findRelays(join(fleet.layout.hubState, "relay")),
    hub: () => waitForHub(fleet.layout, 30_000, signal),
    pings: (count: number) => pingEvery(100, { netns: fleet.stations[0].netns, address: fleet.stations[1].ip, count }),
  };
}

test("a hub that is killed, and one that ends, cost a relayed link nothing", async () => {
  const { fleet, connects, relays, hub, pings } = await relayedFleet();
  const [before, relay] = [await connects(), await relays()];
  const [from, to] = fleet.stations;
  const copy = await startCopy({ from, to, bytes: 512 * mebibyte, bytesPerSecond: 4 * mebibyte, timeoutMs: 150_000 });
  const answers = pings(400);
  await fleet.killHub();
  await fleet.startHub();
  (await hub()).close();
  const running = await findProgram(hubProgram(fleet.layout));
  if (running === undefined) throw new Error("the hub does not run");
  await endProcess(running, 30_000);
  await fleet.startHub();
  (await hub()).close();
  expect((await answers).size).toBe(400);
  expect(copy.ended()).toBe(false);
  copy.hurry();
  await copy.done;
  expect(await connects()).toEqual(before);
  expect(await relays()).toEqual(relay);

  // What the hub decides it tells the relay that it took up.
  const client = await hub();
  try {
    const identity = `zor://host/${fleet.hosts[1].id}`;
    await client.unary(TokenServiceService.revokeIdentity, RevokeIdentityRequest.fromPartial({ identity }));
  } finally {
    client.close();
  }
  await eventually(async () => expect((await fleet.end(fleet.hosts[0])).phase).toBe("down"));
});

test("a relay that is killed is started again, told with the time it took, and links come back by themselves", async () => {
  const { fleet, connects, relays, hub, pings } = await relayedFleet();
  const before = await connects();
  const [relay] = await relays();
  const answers = pings(100);
  await killed(relay?.pid ?? 0);
  await eventually(async () => expect((await connects()).every((now, at) => now > (before[at] ?? 0))).toBe(true));
  await fleet.active();
  expect((await answers).size).toBeGreaterThan(0);
  await run("ping", ["-n", "-c", "1", "-w", "30", fleet.stations[1].ip], { netns: fleet.stations[0].netns });
  const client = await hub();
  try {
    const { events } = await client.unary(
      EventServiceService.listEvents,
      ListEventsRequest.fromPartial({ query: { kinds: ["hub"] } }),
    );
    const messages = events.filter(({ type }) => type === "hub.relay-restarted").map(({ message }) => message);
    expect(messages).toEqual([
      expect.stringMatching(/^the hub's relay ended and was started again; it could take no link for \d+\.\d s/),
    ]);
    console.log(messages[0], `${100 - (await answers).size} of 100 pings lost`);
  } finally {
    client.close();
  }
});
