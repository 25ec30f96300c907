import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { whyNoVxlan } from "../../../agent/network/vxlan-device.js";
import { VxlanLinks, type VxlanSpec, type VxlanView } from "../../../agent/kinds/link-end/vxlan-links.js";
import { createLog } from "../../../lib/log.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { NetworkFixture } from "../network/fixture.js";

/** A host with its underlay and lan namespaces; the lan's only member is the host itself, unless it has a switch. */
class VxlanHost {
  switch: NetworkFixture | undefined;
  readonly plugged = new Set<string>();
  readonly salt = randomBytes(32);
  allowed = true;
  #links: VxlanLinks | undefined;

  constructor(
    readonly number: number,
    readonly underlay: TestNetns,
    readonly lan: TestNetns,
    readonly stateDirectory: string,
  ) {}

  get links(): VxlanLinks {
    if (this.#links === undefined) throw new Error("it is not open");
    return this.#links;
  }

  view(): VxlanView {
    const [view] = this.links.list();
    if (view === undefined) throw new Error("there is no link");
    return view;
  }

  async open(): Promise<void> {
    const ports = () => [{ ports: [...this.plugged].map((port) => ({ port, endpoint: "links/vx", error: "" })) }];
    this.#links = await VxlanLinks.open({
      ...{ stateDirectory: this.stateDirectory, salt: this.salt, allowed: this.allowed },
      netns: this.switch?.netns ?? this.lan.name,
      underlayNetns: this.underlay.name,
      plugger: this.switch?.lans ?? {
        plug: async ({ port }) => {
          await this.lan.ip("addr", "replace", `10.206.0.${this.number}/24`, "dev", port);
          this.plugged.add(port);
        },
        unplug: async (port) => void this.plugged.delete(port),
        find: () => ports()[0],
        list: ports,
        onChange: () => () => undefined,
      },
      log: createLog("test", { write: () => undefined }),
    });
  }

  async close(): Promise<void> {
    await this.#links?.close();
    this.#links = undefined;
  }
}

const underlayDevice = "ztv0";

async function makeHost(number: number): Promise<VxlanHost> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "zt-vx-"));
  onTestFinished(() => rm(stateDirectory, { recursive: true, force: true }));
  const [underlay, lan] = [await makeNetns("vu"), await makeNetns("vl")];
  onTestFinished(() => lan[Symbol.asyncDispose]());
  onTestFinished(() => underlay[Symbol.asyncDispose]());
  return new VxlanHost(number, underlay, lan, stateDirectory);
}

/** Two hosts with a link between them. `prepare` comes before that, with the first; `network` is its switch. */
async function connected({
  prepare = async () => undefined,
  network,
}: {
  readonly prepare?: (first: VxlanHost) => Promise<void>;
  readonly network?: NetworkFixture;
} = {}): Promise<{ readonly hosts: readonly [VxlanHost, VxlanHost]; readonly specs: VxlanSpec[] }> {
  const hosts = [await makeHost(1), await makeHost(2)] as const;
  const [a, b] = hosts;
  a.switch = network;
  await a.underlay.ip(
    "link",
    "add",
    underlayDevice,
    "type",
    "veth",
    "peer",
    "name",
    underlayDevice,
    "netns",
    b.underlay.name,
  );
  const common = { link: "links/vx", linkUid: randomUUID(), lan: "lan1", vxlanId: 5_898_241 } as const;
  const specs: VxlanSpec[] = [];
  for (const host of hosts) {
    await host.underlay.ip("addr", "add", `10.207.0.${host.number}/24`, "dev", underlayDevice);
    await host.underlay.ip("link", "set", underlayDevice, "up");
    await host.open();
    onTestFinished(() => host.close());
    const role = host === a ? "listener" : "dialer";
    specs.push({ ...common, role, peerIps: [`10.207.0.${3 - host.number}`] });
  }
  await prepare(a);
  for (const [index, host] of hosts.entries()) {
    const spec = specs[index];
    if (spec !== undefined) await host.links.ensure(spec);
  }
  return { hosts, specs };
}

/** Lets nothing of the first host reach the second; what the second sends arrives. */
async function cutFromFirst({ underlay }: VxlanHost): Promise<void> {
  // Nobody has this address: whoever gets the frames drops them without a word.
  const nobody = ["lladdr", "02:00:00:00:00:fe", "nud", "permanent"];
  await underlay.ip("neighbour", "replace", "10.207.0.2", "dev", underlayDevice, ...nobody);
}

async function active(hosts: readonly VxlanHost[]): Promise<void> {
  for (const host of hosts)
    await eventually(() => expect(host.view().state).toMatchObject({ phase: "active", reason: "" }));
}

async function ping(from: VxlanHost): Promise<void> {
  await run("ping", ["-c", "3", "-i", "0.05", "-W", "2", `10.206.0.${3 - from.number}`], { netns: from.lan.name });
}

test("frames cross a kernel tunnel, and each end is active only after the other has answered it", async () => {
  expect(await whyNoVxlan(undefined)).toBe("");
  const { hosts } = await connected();
  await active(hosts);
  await ping(hosts[0]);
  expect(hosts[0].view()).toMatchObject({ remoteAddress: "10.207.0.2:4789", device: { up: true } });
  const hops = await Array.fromAsync(hosts[0].links.diagnose("links/vx") ?? []);
  expect(hops.map(({ hop, verdict }) => `${hop} ${verdict}`)).toEqual([
    "lan ok",
    "tap ok",
    "engine ok",
    "socket ok",
    "path ok",
    "peer skipped",
  ]);
});

test("an end whose other end is away says that nothing comes", async () => {
  const { hosts, specs } = await connected();
  await active(hosts);
  expect(await hosts[1].links.delete("links/vx", randomUUID())).toBe(false);
  expect(await hosts[1].links.delete("links/vx", specs[1]?.linkUid ?? "")).toBe(true);
  expect([...hosts[1].plugged]).toEqual([]);
  await nothingComes(hosts[0]);
});

/** Waits until a host says that it hears nothing. The last probes may have come a little after the last answers. */
async function nothingComes(host: VxlanHost): Promise<void> {
  await eventually(() => {
    expect(host.view().state).toMatchObject({
      phase: "probing",
      reason: expect.stringContaining("nothing came from the other end"),
    });
  });
}

test("probes pass beside a real switch, whose lan frames cross the tunnel too", async () => {
  const network = await NetworkFixture.open();
  onTestFinished(() => network.destroy());
  await network.lans.ensureLan({ id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false });
  const { hosts } = await connected({ network });
  await active(hosts);
  await network.plugContainer("one", "lan1", "10.206.0.1/24");
  await eventually(() => ping(hosts[1]));
  await active(hosts);
});

test("a path that carries frames one way only is not active at either end, and says which way is cut", async () => {
  const { hosts } = await connected();
  const [a, b] = hosts;
  await active(hosts);
  await cutFromFirst(a);
  const reason = expect.stringContaining("it does not get ours");
  await eventually(() => expect(a.view().state).toMatchObject({ phase: "probing", reason }));
  await nothingComes(b);
  const hops = await Array.fromAsync(a.links.diagnose("links/vx") ?? []);
  expect(hops.find(({ hop }) => hop === "path")).toMatchObject({ verdict: "broken" });
  await a.underlay.ip("neighbour", "delete", "10.207.0.2", "dev", underlayDevice);
  await active(hosts);
});

test("a link that never carried frames one way is never active", async () => {
  const { hosts } = await connected({ prepare: cutFromFirst });
  const phases = new Set<string>();
  hosts[0].links.onChange((views) => {
    for (const { state } of views) phases.add(`${state.phase} ${state.reason}`);
  });
  // Several probes of b have come.
  await eventually(() => expect(hosts[0].view().device?.rxFrames ?? 0).toBeGreaterThan(5));
  expect([...phases].filter((phase) => phase.startsWith("active"))).toEqual([]);
  await eventually(() => expect(hosts[0].view().state.reason).toContain("it does not get ours"));
});

test("the device stays when the agent ends, is taken up again, and made anew when it was deleted", async () => {
  const { hosts } = await connected();
  await active(hosts);
  await hosts[0].close();
  await ping(hosts[1]);
  await hosts[0].open();
  await active(hosts);
  await hosts[0].lan.ip("link", "delete", hosts[0].view().port);
  await eventually(() => ping(hosts[0]));
  await active(hosts);
});

test("a host whose policy was changed takes its device away and says why", async () => {
  const { hosts } = await connected();
  await active(hosts);
  await hosts[0].close();
  hosts[0].allowed = false;
  await hosts[0].open();
  await eventually(() => expect(hosts[0].view()).toMatchObject({ state: { phase: "down", cause: "policy" } }));
  await eventually(() =>
    expect(hosts[0].lan.ip("link", "show", hosts[0].view().port)).rejects.toThrow(/does not exist/),
  );
});
