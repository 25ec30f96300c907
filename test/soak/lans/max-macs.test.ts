import { randomBytes, randomUUID } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import type { PortChange } from "../../../agent/network/lans/port-faults.js";
import { toPortName } from "../../../agent/network/names.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { eventually } from "../../helpers/eventually.js";
import { crossFrames } from "../../helpers/raw-frames.js";
import { NetworkFixture } from "../../integration/network/fixture.js";

test("a port sends from so many MAC addresses and no more, what is beyond is counted and told once", {
  timeout: 240_000,
}, async () => {
  const net = await NetworkFixture.open();
  onTestFinished(() => net.destroy());
  await net.lans.ensureLan({ id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false });
  net.lans.flows.settle();
  const places = [];
  for (const uid of ["aaa", "bbb"]) {
    const { netns } = await net.plugContainer(uid, "lan1", `10.80.0.${uid.charCodeAt(0)}/24`);
    await run("sysctl", ["-q", "net.ipv6.conf.all.disable_ipv6=1"], { netns });
    places.push({ netns, device: "eth0" });
  }
  const [from, to] = places;
  if (from === undefined || to === undefined) throw new Error("places");
  const told: PortChange[] = [];
  net.lans.onPortChange((change) => told.push(change));
  const set = async (uid: string, wanted: Parameters<typeof PortSettings.fromPartial>[0]): Promise<void> => {
    const settings = settlePort(PortSettings.fromPartial(wanted));
    const endpoint = `hosts/t/instances/${uid}/nics/eth0`;
    await net.lans.plug({ lan: "lan1", port: toPortName(uid, 0), endpoint, settings, own: { mac, addresses: [] } });
  };
  const mac = "02:00:00:61:61:61";
  const frames = [1, 2, 3, 1, 2, 4].map((last) =>
    Buffer.concat([
      Buffer.from(`ffffffffffff0200000000${last.toString(16).padStart(2, "0")}88b5`, "hex"),
      randomBytes(60),
    ]),
  );
  const passes = async (wanted: number[], sent = frames): Promise<void> => {
    expect(await crossFrames({ from, to: [to], frames: sent, wanted: [wanted] })).toEqual([wanted]);
  };
  await passes([0, 1, 2, 3, 4, 5]);
  await set("aaa", { maxMacs: 2 });
  await passes([0, 1, 3, 4]);
  await passes([0, 1, 3, 4]);
  const drops = () => net.lans.find("lan1")?.ports.find(({ port }) => port === toPortName("aaa", 0))?.drops;
  await eventually(async () => expect(drops()).toMatchObject({ maxMacs: 4n }));
  await eventually(async () => expect(told.length).toBeGreaterThan(0));
  expect(told).toEqual([
    expect.objectContaining({
      endpoint: "hosts/t/instances/aaa/nics/eth0",
      fault: expect.stringMatching(/more than 2 MAC/),
      isViolation: true,
    }),
  ]);
  // The lan works, and the port too.
  expect(net.lans.find("lan1")?.reason).toBe("");
  // A lower limit begins anew, and so does a higher one.
  await set("aaa", { maxMacs: 1 });
  await passes([0], frames.slice(2, 3));
  await passes([], frames.slice(0, 2));
  await set("aaa", { maxMacs: 4 });
  await passes([0, 1, 2, 3, 4, 5]);
  // What others do with the port is no less kept.
  const guard = { maxMacs: 4, addressGuard: {}, rateIn: { rateBps: 10_000_000n } };
  await set("aaa", guard);
  await passes([], frames);
  await eventually(async () => expect(drops()).toMatchObject({ guard: 6n }));
  // It holds without the agent, and after its return.
  await set("aaa", { maxMacs: 2 });
  await passes([0, 1, 3, 4]);
  await net.reopen();
  await passes([0, 1, 3, 4]);
});

test("the switch forgets a MAC address that sends no more", { timeout: 60_000 }, async () => {
  const net = await NetworkFixture.open();
  onTestFinished(() => net.destroy());
  await net.lans.ensureLan({ id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false });
  net.lans.flows.settle();
  const { port, netns } = await net.plugContainer("aaa", "lan1", "10.80.0.1/24");
  const settings = settlePort(PortSettings.fromPartial({ maxMacs: 2 }));
  await net.lans.plug({ lan: "lan1", port, endpoint: "hosts/t/instances/aaa/nics/eth0", settings });
  await run("ping", ["-c", "1", "-W", "1", "-b", "10.80.0.9"], { netns, acceptedExitCodes: [0, 1, 2] });
  const bridge = await net.vsctl("--bare", "--columns=name", "find", "Bridge", "external_ids:zor-lan=lan1");
  const target = `unix:${net.stateDirectory}/ovs/${bridge}.mgmt`;
  const counted = async () => (await run("ovs-ofctl", ["-O", "OpenFlow14", "dump-flows", target, "table=9"])).stdout;
  await eventually(async () => expect(await counted()).toMatch(/cookie=0x5b01\w+,.* hard_timeout=300, .*dl_src=/));
});
