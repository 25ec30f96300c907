import { randomUUID } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { toPortName } from "../../../agent/network/names.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { NetworkFixture, ping } from "../../integration/network/fixture.js";
import { ReachRig } from "../../integration/reach/rig.js";

const megabit = 1_000_000;

/** What comes out at the other end, in Mbit/s. */
async function measure(from: string, address: string, more: readonly string[]): Promise<number> {
  const argv = ["-c", address, "-J", ...more];
  const { stdout } = await run("iperf3", argv, { netns: from, timeoutMs: 60_000 });
  // iperf3 prints one object.
  const { end } = JSON.parse(stdout) as { end: { sum_received?: { bits_per_second: number }; sum: IperfSum } };
  return (end.sum_received?.bits_per_second ?? end.sum.bits_per_second) / megabit;
}

interface IperfSum {
  readonly bits_per_second: number;
}

test("rates hold in both directions, for TCP and UDP", { timeout: 240_000 }, async () => {
  const net = await NetworkFixture.open();
  onTestFinished(() => net.destroy());
  await net.lans.ensureLan({ id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false });
  net.lans.flows.settle();
  const { netns: a } = await net.plugContainer("aaa", "lan1", "10.80.0.1/24");
  const { netns: b } = await net.plugContainer("bbb", "lan1", "10.80.0.2/24");
  const server = spawnOwned("ip", ["netns", "exec", b, "iperf3", "-s"], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void server.kill());
  const set = async (uid: string, wanted: Parameters<typeof PortSettings.fromPartial>[0]): Promise<void> => {
    const settings = settlePort(PortSettings.fromPartial(wanted));
    const endpoint = `hosts/t/instances/${uid}/nics/eth0`;
    await net.lans.plug({ lan: "lan1", port: toPortName(uid, 0), endpoint, settings });
  };
  await ping(a, "10.80.0.2");
  // A server that is starting refuses.
  await eventually(() => measure(a, "10.80.0.2", ["-n", "1K"]));
  const rate = { rateBps: 20n * BigInt(megabit) };
  const udp = ["-t", "4", "-u", "-b", "60M", "-l", "1400"];
  await set("bbb", { rateOut: rate });
  const shaped = await measure(a, "10.80.0.2", ["-t", "4"]);
  expect(shaped).toBeGreaterThan(12);
  expect(shaped).toBeLessThan(25);
  await set("bbb", {});
  await set("aaa", { rateIn: rate });
  const policed = await measure(a, "10.80.0.2", ["-t", "4"]);
  expect(policed).toBeGreaterThan(2);
  expect(policed).toBeLessThan(25);
  expect(await measure(a, "10.80.0.2", udp)).toBeLessThan(30);
  await set("aaa", {});
  expect(await measure(a, "10.80.0.2", ["-t", "4"])).toBeGreaterThan(40);
});

test("a guard goes with its instance, and holds when the agent was killed", { timeout: 480_000 }, async () => {
  const rig = await ReachRig.start();
  onTestFinished(async () => await rig[Symbol.asyncDispose]());
  const zor = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await rig.zor(...argv);
    if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
    return stdout;
  };
  await rig.createLan("lan1");
  const nic = (address: string) => `lan=lan1,addr=${address}/24`;
  await zor("create", "instance", "zt/c1", "--rootfs", "micro", "--nic", `${nic("10.80.0.1")},guard`);
  await zor("create", "instance", "zt/c2", "--rootfs", "micro", "--nic", nic("10.80.0.2"));
  await zor("exec", "zt/c1", "--", "ip", "addr", "add", "10.80.0.9/24", "dev", "eth0");
  const answers = async (source: string): Promise<boolean> =>
    (await rig.zor("exec", "zt/c1", "--", "ping", "-c", "2", "-W", "1", "-I", source, "10.80.0.2")).code === 0;
  const expectGuarded = async (): Promise<void> => {
    await eventually(async () => expect(await answers("10.80.0.1")).toBe(true));
    expect(await answers("10.80.0.9")).toBe(false);
  };
  await expectGuarded();
  const refused = await rig.zor("set", "instance", "zt/c1", "--port", "eth0,guard-addr=all");
  expect(refused.stderr).toMatch(/address_guard\.addresses: "all" is not an address or network/);
  await rig.agent.end("SIGKILL");
  await rig.agent.start();
  await rig.ready();
  await expectGuarded();
  await zor("set", "instance", "zt/c1", "--port", "eth0,guard-addr=10.80.0.9,storm-broadcast=100,rate-in=100mbit");
  const settings = "in 100Mb/s, broadcasts 100/s, guarded 10.80.0.9";
  expect(await zor("describe", "lan", "zt/lan1")).toContain(settings);
  expect(await zor("describe", "instance", "zt/c1")).toContain(settings);
  await eventually(async () => expect(await answers("10.80.0.9")).toBe(true));
  expect(await answers("10.80.0.1")).toBe(true);
});
