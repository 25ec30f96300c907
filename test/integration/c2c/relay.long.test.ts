import { expect, onTestFinished, test } from "vitest";
import { RelayStatus } from "../../../lib/relay-preamble.js";
import { eventually } from "../../helpers/eventually.js";
import { startCopy } from "../c2c-faults/copy.js";
import { RelayFake } from "./relay-fake.js";
import { TwoHosts, underlayDevice } from "./two-hosts.js";
import { endSpec, type EndWords, readEnd } from "../../helpers/engine-words.js";
import { pingEvery } from "../../helpers/pings.js";

interface Relayed {
  readonly hosts: TwoHosts;
  readonly relay: RelayFake;
  readonly specs: { a: EndWords; b: EndWords };
}

/** Two hosts and a relay; `a` listens, `b` dials. */
async function relayed(options: { readonly direct: boolean }): Promise<Relayed> {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  const relay = await RelayFake.make(hosts.hosts);
  onTestFinished(() => relay[Symbol.asyncDispose]());
  if (!options.direct) await setDirect(hosts, false);
  const { a, b } = hosts.specs();
  return {
    hosts,
    relay,
    specs: {
      a: { ...a, ...relay.specFor(hosts.a, "listener") },
      b: { ...b, ...relay.specFor(hosts.b, "dialer") },
    },
  };
}

async function setDirect(hosts: TwoHosts, up: boolean): Promise<void> {
  await hosts.a.underlay.ip("link", "set", underlayDevice, up ? "up" : "down");
}

/** Waits until both ends say that they use this path. */
async function onPath(hosts: TwoHosts, path: "direct" | "relayed"): Promise<void> {
  for (const host of hosts.hosts) {
    await eventually(() => expect(host.end()).toMatchObject({ phase: "active", path }));
  }
}

/** Makes the dialer try the direct way now, as a changed address from the hub does. */
async function hurry({ hosts, specs }: Relayed, attempt: number): Promise<void> {
  const { ticket: _, ...kept } = specs.b;
  await hosts.b.cables.ensureEnd(
    endSpec({ ...kept, peerAddresses: [...kept.peerAddresses, `10.201.0.1:${8000 + attempt}`] }),
  );
}

test("two hosts that cannot reach each other are joined by the relay, and both ends say so", async () => {
  const { hosts, relay, specs } = await relayed({ direct: false });
  await hosts.connect({ a: specs.a, b: { ...specs.b, peerAddresses: [] } });
  await onPath(hosts, "relayed");
  await hosts.ping({ size: 1472 });
  expect(relay.joined).toBe(1);
  expect(hosts.b.end()).toMatchObject({
    remoteAddress: "10.203.2.1:7442",
    protection: expect.stringContaining("TLSv1.3"),
  });
  expect(hosts.b.end().direct).toBeUndefined();
});

test("the direct way is taken when it works, and the relay left alone", async () => {
  const { hosts, relay, specs } = await relayed({ direct: true });
  await hosts.connect(specs);
  await onPath(hosts, "direct");
  await eventually(() => expect(relay.connections).toBe(0));
  await eventually(() => expect(hosts.b.end().direct).toBe(true));
});

test("a relayed link moves to the direct path while traffic flows, and loses nothing", async () => {
  const setup = await relayed({ direct: false });
  const { hosts, relay } = setup;
  await hosts.connect(setup.specs);
  await onPath(hosts, "relayed");
  await eventually(() => expect(hosts.b.end()).toMatchObject({ direct: false }));
  const pings = pingEvery(10, { netns: hosts.a.lan.name, address: hosts.b.lanIp, count: 400 });
  await setDirect(hosts, true);
  await hurry(setup, 0);
  await onPath(hosts, "direct");
  expect((await pings).size).toBe(400);
  await eventually(() => expect(relay.connections).toBe(0));
  await eventually(() => expect(hosts.b.end()).toMatchObject({ direct: true, directReason: "" }));
});

test("a link whose direct path goes silent is carried by the relay before it is given up", async () => {
  const { hosts, specs } = await relayed({ direct: true });
  await hosts.connect(specs);
  await onPath(hosts, "direct");
  const phases = new Set<string>();
  const watching = new AbortController();
  const watched = watchPhases(hosts, phases, watching.signal);
  await setDirect(hosts, false);
  await onPath(hosts, "relayed");
  watching.abort();
  await watched;
  expect(phases).not.toContain("down");
  expect(phases).not.toContain("probing");
  await hosts.ping();
});

async function watchPhases(hosts: TwoHosts, phases: Set<string>, signal: AbortSignal): Promise<void> {
  for await (const { ends } of hosts.b.cables.watch(signal))
    for (const { phase } of ends.map(readEnd)) phases.add(phase);
}

test("a copy through the cable survives any number of moves between the paths, byte for byte", async () => {
  const setup = await relayed({ direct: true });
  const { hosts, specs } = setup;
  await hosts.connect(specs);
  const copy = await startCopy({
    from: { netns: hosts.a.lan.name },
    to: { netns: hosts.b.lan.name, ip: hosts.b.lanIp },
    bytes: 512 * 1024 * 1024,
    bytesPerSecond: 5 * 1024 * 1024,
    timeoutMs: 150_000,
  });
  for (let flip = 0; flip < 3; flip += 1) {
    await setDirect(hosts, false);
    await onPath(hosts, "relayed");
    await setDirect(hosts, true);
    await hurry(setup, flip);
    await onPath(hosts, "direct");
  }
  expect(copy.ended()).toBe(false);
  copy.hurry();
  await copy.done;
});

test("a lost relay connection is made again by itself", async () => {
  const { hosts, relay, specs } = await relayed({ direct: false });
  await hosts.connect(specs);
  relay.reset();
  await eventually(() => expect(relay.joined).toBe(2));
  await onPath(hosts, "relayed");
  await hosts.ping();
});

test("a relay that does not take an end is named as the cause, and a changed ticket is tried at once", async () => {
  const { hosts, relay, specs } = await relayed({ direct: false });
  relay.refusal = RelayStatus.NotAuthorised;
  const b = { ...specs.b, peerAddresses: [] };
  await hosts.a.cables.ensureEnd(endSpec(specs.a));
  await hosts.b.cables.ensureEnd(endSpec(b));
  for (const host of hosts.hosts) {
    await eventually(() => expect(host.end()).toMatchObject({ phase: "down", cause: "relay" }));
    expect(host.end().reason).toContain("the relay does not accept this end's ticket");
  }
  relay.refusal = undefined;
  await hosts.active();
});

test("a changed relay ticket or address does not break a connection that works", async () => {
  const { hosts, specs } = await relayed({ direct: false });
  await hosts.connect(specs);
  const { ticket: _, ...kept } = specs.b;
  await hosts.b.cables.ensureEnd(
    endSpec({ ...kept, relayTicket: "0c".repeat(32), relayAddresses: ["10.203.2.1:9999"] }),
  );
  await hosts.ping({ count: 20 });
  expect(hosts.hosts.map((host) => host.end().connects)).toEqual([1, 1]);
});

test("a link without encryption never goes to the relay", async () => {
  const { hosts, relay, specs } = await relayed({ direct: false });
  await hosts.b.close();
  hosts.b.allowPlainLinks = true;
  await hosts.b.open();
  await hosts.b.cables.ensureEnd(endSpec({ ...specs.b, encryption: "none" }));
  await eventually(() => expect(hosts.b.end()).toMatchObject({ phase: "down", direct: false }));
  expect(relay.connections).toBe(0);
});
