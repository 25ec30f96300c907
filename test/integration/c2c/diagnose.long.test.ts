import { expect, onTestFinished, test } from "vitest";
import type { Hop } from "../../../agent/kinds/link-end/diagnosis.js";
import { eventually } from "../../helpers/eventually.js";
import { type TestHost, TwoHosts, underlayDevice } from "./two-hosts.js";

async function connected(): Promise<TwoHosts> {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  await hosts.connect();
  return hosts;
}

async function diagnose(host: TestHost): Promise<Hop[]> {
  return Array.fromAsync(host.cables.diagnose(host.end().link));
}

function verdicts(hops: readonly Hop[]): Record<string, string> {
  return Object.fromEntries(hops.map(({ hop, verdict }) => [hop, verdict]));
}

const allWell = { lan: "ok", tap: "ok", engine: "ok", socket: "ok", path: "ok", peer: "ok" };

test("every hop of a link that works is tested and found good", async () => {
  const hosts = await connected();
  for (const host of hosts.hosts) {
    const hops = await diagnose(host);
    expect(hops.map(({ hop }) => hop)).toEqual(Object.keys(allWell));
    expect(verdicts(hops)).toEqual(allWell);
    for (const { remedy } of hops) expect(remedy).toBe("");
    expect(hops[4]?.detail).toMatch(/direct; (\d+) of \1 probes came back/);
  }
});

test("a test frame of the tap stays on the host", async () => {
  const hosts = await connected();
  const { txFrames } = hosts.a.end();
  await diagnose(hosts.b);
  await hosts.ping();
  await eventually(() => expect(hosts.a.end().txFrames).toBeGreaterThan(txFrames));
  // The two ends are read at different times: what counts is that in the end each has received what the other sent, no frame more.
  await eventually(() => {
    expect(hosts.b.end().rxFrames).toBe(hosts.a.end().txFrames);
    expect(hosts.a.end().rxFrames).toBe(hosts.b.end().txFrames);
  });
});

test("a missing lan is the broken hop, and the other end says that its peer is not well", async () => {
  const hosts = await connected();
  hosts.a.setLan(false);
  await eventually(() => expect(hosts.b.end()).toMatchObject({ phase: "degraded", cause: "peer" }));
  expect(verdicts(await diagnose(hosts.a))).toEqual({ ...allWell, lan: "broken" });
  expect(verdicts(await diagnose(hosts.b))).toEqual({ ...allWell, peer: "broken" });
});

test("a peer whose engine does not run is found by dialling it now", async () => {
  const hosts = await connected();
  await hosts.a.cables.destroy();
  await eventually(() => expect(hosts.b.end()).toMatchObject({ phase: "down" }));
  const hops = await diagnose(hosts.b);
  expect(verdicts(hops)).toEqual({ ...allWell, socket: "broken", path: "skipped", peer: "skipped" });
  expect(hops[3]?.detail).toContain("10.201.0.1:7444 refused the connection");
  expect(hops[3]?.remedy).toContain("the agent of the other host runs");
});

test("a cut underlay is told before the hub gives up", async () => {
  const hosts = await connected();
  await hosts.a.underlay.ip("link", "set", underlayDevice, "down");
  await eventually(() => expect(hosts.b.end()).toMatchObject({ phase: "down" }));
  const limit = AbortSignal.timeout(14_000);
  const hops = await diagnose(hosts.b);
  expect(limit.aborted).toBe(false);
  expect(verdicts(hops)).toMatchObject({ socket: "broken", path: "skipped" });
});

test("a device that somebody set down is the broken hop", async () => {
  const hosts = await connected();
  await hosts.a.lan.ip("link", "set", hosts.a.end().tap.name, "down");
  const hops = await diagnose(hosts.a);
  expect(verdicts(hops)).toMatchObject({ lan: "ok", tap: "broken" });
  expect(hops[1]?.remedy).toContain("ip link set");
});

test("an engine that is away is the broken hop", async () => {
  const hosts = await connected();
  process.kill(hosts.a.cables.enginePid, "SIGSTOP");
  const stopped = hosts.a.cables.enginePid;
  const watched = diagnose(hosts.a);
  process.kill(stopped, "SIGKILL");
  expect(verdicts(await watched)).toMatchObject({
    engine: "broken",
    socket: "skipped",
    path: "skipped",
    peer: "skipped",
  });
  await hosts.active();
});
