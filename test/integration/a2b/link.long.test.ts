import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { ImpairmentSettings } from "../../../agent/engine/impair/settings.js";
import { eventually } from "../../helpers/eventually.js";
import { TwoHosts } from "../c2c/two-hosts.js";
import { endSpec } from "../../helpers/engine-words.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { killed } from "../../helpers/killed.js";

async function twoHosts(): Promise<TwoHosts> {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  return hosts;
}

const impaired = (settings: Partial<ImpairmentSettings>) => ({
  impairment: { standing: settings, seed: 3n },
});

/** Round trips through the cable in milliseconds. */
async function ping(hosts: TwoHosts, size = 56): Promise<number[]> {
  return [...(await pingAtOnce({ netns: hosts.a.lan.name, address: hosts.b.lanIp, count: 10, size })).values()];
}

test("what the ends of a link send is impaired, live, and taken back, without a new connection", async () => {
  const hosts = await twoHosts();
  const { a, b } = hosts.specs();
  await hosts.connect({ a: { ...a, ...impaired({ delayMs: 30 }) }, b: { ...b, ...impaired({ delayMs: 20 }) } });
  for (const size of [56, 1472]) {
    const trips = await ping(hosts, size);
    expect(trips).toHaveLength(10);
    for (const trip of trips) expect(trip).toBeGreaterThanOrEqual(49.9);
  }
  await eventually(() => expect(hosts.a.end().impairment?.outFrames).toBeGreaterThanOrEqual(20));

  await hosts.a.cables.ensureEnd(endSpec({ ...a, ...impaired({ lossRatio: 1 }) }));
  expect(await ping(hosts)).toEqual([]);
  await eventually(() => expect(hosts.hosts.map((host) => host.end().blocked)).toEqual([true, false]));
  await eventually(() => expect(hosts.a.end().impairment?.lostFrames).toBeGreaterThanOrEqual(10));

  await hosts.a.cables.ensureEnd(endSpec(a));
  await hosts.b.cables.ensureEnd(endSpec(b));
  expect(await ping(hosts)).toHaveLength(10);
  await eventually(() => expect(hosts.a.end()).toMatchObject({ blocked: false }));
  expect(hosts.a.end().impairment).toBeUndefined();
  // Probes between the ends are not frames of the lan.
  expect(hosts.hosts.map((host) => [host.end().phase, host.end().connects])).toEqual([
    ["active", 1],
    ["active", 1],
  ]);
});

test("a rate limit in front of a cable bounds what waits, and nothing comes late after the cable was down", async () => {
  const hosts = await twoHosts();
  const { a, b } = hosts.specs();
  await hosts.connect({ a: { ...a, ...impaired({ rateBps: 80_000, burstBytes: 2_000, queueBytes: 10_000 }) }, b });
  const argv = ["-q", "-n", "-c", "200", "-i", "0.002", "-W", "1", "-s", "1000", hosts.b.lanIp];
  await run("ping", argv, { netns: hosts.a.lan.name, acceptedExitCodes: [0, 1] });
  await eventually(() => {
    const { inFrames = 0, outFrames = 0, droppedQueueFrames = 0, queuedFrames } = hosts.a.end().impairment ?? {};
    expect(queuedFrames).toBe(0);
    expect(inFrames).toBeGreaterThanOrEqual(200);
    expect(droppedQueueFrames).toBeGreaterThan(100);
    expect(outFrames + droppedQueueFrames).toBe(inFrames);
  });
});

test("an impairment outlives the engine, with the seed that was picked", async () => {
  const hosts = await twoHosts();
  const { a, b } = hosts.specs();
  await hosts.connect({ a: { ...a, ...impaired({ delayMs: 40 }) }, b });
  await killed(hosts.a.cables.enginePid);
  await eventually(() => expect(hosts.b.end().connects).toBe(2));
  await hosts.active();
  const trips = await eventually(async () => {
    const answered = await ping(hosts);
    expect(answered).toHaveLength(10);
    return answered;
  });
  for (const trip of trips) expect(trip).toBeGreaterThanOrEqual(39.9);
});
