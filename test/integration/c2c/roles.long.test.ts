import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { RelayFake } from "./relay-fake.js";
import { TwoHosts } from "./two-hosts.js";
import { endSpec, type EndWords } from "../../helpers/engine-words.js";

/** The same end with another role and without a new ticket, as the hub asks for it when roles are swapped. */
function turned(spec: EndWords, change: Partial<EndWords>): EndWords {
  const { ticket: _, ...kept } = spec;
  return { ...kept, ...change };
}

const closedPort = "10.201.0.1:9";
const openPort = "10.201.0.2:7444";

test("each end tells which addresses it can reach, and after their roles were swapped the link is direct", async () => {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  const relay = await RelayFake.make(hosts.hosts);
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const specs = hosts.specs();
  const a: EndWords = { ...specs.a, ...relay.specFor(hosts.a, "listener"), peerAddresses: [openPort] };
  const b: EndWords = { ...specs.b, ...relay.specFor(hosts.b, "dialer"), peerAddresses: [closedPort] };
  await hosts.connect({ a, b });
  await hosts.ping();
  for (const host of hosts.hosts) expect(host.end()).toMatchObject({ path: "relayed", paired: true });
  expect(hosts.b.end()).toMatchObject({ direct: false, directReason: `${closedPort} refused the connection` });
  await eventually(() => expect(hosts.a.end()).toMatchObject({ direct: true, directReason: "" }));
  await eventually(() => expect(hosts.a.end().txFrames).toBeGreaterThanOrEqual(3));
  const before = hosts.hosts.map((host) => host.end());

  await hosts.b.cables.ensureEnd(endSpec(turned(b, { role: "listener", ...relay.specFor(hosts.b, "listener") })));
  await hosts.a.cables.ensureEnd(endSpec(turned(a, { role: "dialer", ...relay.specFor(hosts.a, "dialer") })));
  for (const host of hosts.hosts) {
    await eventually(() => expect(host.end()).toMatchObject({ phase: "active", path: "direct", needsTicket: false }));
  }
  await hosts.ping();
  for (const [index, host] of hosts.hosts.entries()) {
    expect(host.end().tap).toEqual(before[index]?.tap);
    await eventually(() => expect(host.end().txFrames).toBeGreaterThan(before[index]?.txFrames ?? 0));
  }
  await eventually(() => expect(relay.connections).toBe(0));
  expect(hosts.b.end().direct).toBeUndefined();
});

test("an end whose role was changed says so until the other end is told as well", async () => {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  const { a, b } = await hosts.connect();
  await hosts.b.cables.ensureEnd(endSpec(turned(b, { role: "listener", peerAddresses: [] })));
  await eventually(() => {
    expect(hosts.b.end()).toMatchObject({ phase: "pending", cause: "", role: "listener" });
  });
  expect(hosts.b.end().reason).toBe("the two ends changed roles");
  await hosts.a.cables.ensureEnd(endSpec(turned(a, { role: "dialer", peerAddresses: [openPort] })));
  await hosts.active();
  await hosts.ping();
});

test("throughput is told both ways while frames cross", async () => {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  await hosts.connect();
  const pinging = hosts.ping({ size: 1000, count: 80 });
  await eventually(() => {
    expect(hosts.a.end().txBps).toBeGreaterThan(8_000);
    expect(hosts.a.end().rxBps).toBeGreaterThan(8_000);
  });
  await pinging;
  await eventually(() => expect(hosts.a.end().txBps).toBeLessThan(8_000));
  expect(hosts.a.end().rttP99Ms).toBeGreaterThanOrEqual(hosts.a.end().rttMs ?? Number.POSITIVE_INFINITY);
});
