import { afterAll, beforeAll, expect, it } from "vitest";
import { signalProcess } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { holdFiles } from "../../helpers/held-files.js";
import { holdProcess } from "../../helpers/held-process.js";
import { PingStream } from "../../helpers/ping-stream.js";
import { NetworkFixture, ping } from "./fixture.js";

/** What guests may miss when a daemon of the switch is killed: it is two or three seconds where nothing else runs. */
const longestGapMs = 20_000;
const lan1 = { id: "lan1", uid: "u-lan1", mtu: 1500, rstp: false };

let net: NetworkFixture;
let guest: string;
const peer = "10.77.0.2";

/** Lans and ports as a host with some work has them: two containers that speak, and forty taps in five other lans. */
beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan(lan1);
  guest = (await net.plugContainer("aaa", "lan1", "10.77.0.1/24")).netns;
  await net.plugContainer("bbb", "lan1", `${peer}/24`);
  for (const lan of ["lan2", "lan3", "lan4", "lan5", "lan6"]) {
    await net.lans.ensureLan({ ...lan1, id: lan, uid: `u-${lan}` });
    const plugAll = Array.from({ length: 8 }, async (_, nicIndex) => {
      const port = await net.ports.ensureTap({ instanceUid: lan, nicIndex, mtu: 1500 });
      await net.lans.plug({ lan, port, endpoint: `hosts/t/instances/${lan}/nics/n${nicIndex}` });
    });
    await Promise.all(plugAll);
  }
  await ping(guest, peer);
});

afterAll(async () => {
  await net.destroy();
});

async function kill(...names: readonly string[]): Promise<void> {
  const running = await net.sw.processes();
  for (const name of names) {
    const victim = running[name];
    if (victim === undefined || !(await signalProcess(victim, "SIGKILL"))) throw new Error(`${name} does not run`);
  }
}

function reasons(): string[] {
  return net.lans.list().map(({ reason }) => reason);
}

/** Every lan is there with its ports, and none says that something is wrong. */
async function allWell(): Promise<void> {
  await eventually(() => {
    expect(reasons()).toEqual(["", "", "", "", "", ""]);
    expect(net.lans.list().flatMap(({ ports }) => ports)).toHaveLength(42);
  });
}

it("a bridge whose device is still held by the killed daemon is said to be missing, in the switch's words, and made again", async () => {
  const { "ovs-vswitchd": vswitchd } = await net.sw.processes();
  if (vswitchd === undefined) throw new Error("ovs-vswitchd does not run");
  using held = await holdFiles(vswitchd.pid, "/dev/net/tun");
  expect(held.count).toBeGreaterThan(5);
  await kill("ovs-vswitchd", "ovsdb-server");
  await eventually(() => {
    const told = reasons();
    expect(told).toHaveLength(6);
    for (const reason of told) expect(reason).toMatch(/failed to create bridge zl\w+: .*Device or resource busy/);
  });
  held[Symbol.dispose]();
  const releasedMs = performance.now();
  await eventually(() => ping(guest, peer));
  expect(performance.now() - releasedMs).toBeLessThan(longestGapMs);
  await allWell();
});

it.each([
  [["ovs-vswitchd"]],
  [["ovsdb-server"]],
  [["ovs-vswitchd", "ovsdb-server"]],
  [["ovsdb-server", "ovs-vswitchd"]],
])("guests miss some seconds when %j are killed", async (names) => {
  await allWell();
  await using pings = await PingStream.start(guest, peer);
  await kill(...names);
  // The old daemons have gone before it is said that all is well.
  await eventually(() => expect(reasons().join()).not.toBe(",,,,,"));
  await allWell();
  expect(await pings.longestGapMs()).toBeLessThan(longestGapMs);
});

it("a switch that is stuck is told from test frames that do not come through, and is well when it goes on", async () => {
  await allWell();
  const { "ovs-vswitchd": vswitchd } = await net.sw.processes();
  if (vswitchd === undefined) throw new Error("ovs-vswitchd does not run");
  const letGo = holdProcess(vswitchd.pid);
  try {
    await eventually(() => {
      for (const reason of reasons())
        expect(reason).toMatch(/does not forward test frames|ovs-vswitchd does not answer/);
    });
  } finally {
    letGo();
  }
  await allWell();
  expect((await net.sw.processes())["ovs-vswitchd"]).toEqual(vswitchd);
});
