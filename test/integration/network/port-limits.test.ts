import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { run } from "../../../agent/host/exec.js";
import { toPortName } from "../../../agent/network/names.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { eventually } from "../../helpers/eventually.js";
import { NetworkFixture, ping } from "./fixture.js";

let net: NetworkFixture;
const places = new Map<string, string>();
const lan = { id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false };

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan(lan);
  for (const uid of ["aaa", "bbb"]) {
    const { netns } = await net.plugContainer(uid, "lan1", `10.80.0.${uid.charCodeAt(0)}/24`);
    places.set(uid, netns);
  }
});

afterAll(() => net.destroy());

/** Gives a container's port these settings, as a change of its NIC does. */
async function set(uid: string, wanted: Parameters<typeof PortSettings.fromPartial>[0]): Promise<void> {
  const endpoint = `hosts/t/instances/${uid}/nics/eth0`;
  const settings = settlePort(PortSettings.fromPartial(wanted));
  await net.lans.plug({ lan: "lan1", port: toPortName(uid, 0), endpoint, settings });
}

/** The queue of a container's port, as tc shows it. */
async function queueOf(uid: string): Promise<string> {
  return (await run("tc", ["-n", net.netns, "qdisc", "show", "dev", toPortName(uid, 0), "root"])).stdout;
}

test("a rate towards a guest is the kernel's to keep, is put right, outlives the agent, and goes with the settings", async () => {
  const told: string[] = [];
  net.lans.onPortChange(({ fault }) => told.push(fault));
  await set("aaa", { rateOut: { rateBps: 20_000_000n } });
  expect(await queueOf("aaa")).toMatch(/^qdisc tbf 5a6f: root .*rate 20Mbit/);
  const port = toPortName("aaa", 0);
  // The kernel may not have been listened to yet when the first is taken off.
  await eventually(async () => {
    await run("tc", ["-n", net.netns, "qdisc", "delete", "dev", port, "root"], { acceptedExitCodes: [0, 2] });
    expect(told).toContain("its rate limit (rate_out) was taken off at the host");
  });
  await eventually(async () => expect(await queueOf("aaa")).toContain("rate 20Mbit"));
  await eventually(() => expect(net.lans.find("lan1")?.reason).toBe(""));
  // Refused by the lan, the change leaves the rate as it was.
  await set("bbb", { mirrorTo: ["span1"] });
  const refused = set("aaa", { mirrorTo: ["span1"], rateOut: { rateBps: 1_000_000n } });
  await expect(refused).rejects.toThrow(/mirror span1 come out of/);
  expect(await queueOf("aaa")).toContain("rate 20Mbit");
  await set("bbb", {});
  await net.reopen();
  await net.lans.ensureLan(lan);
  await set("aaa", { rateOut: { rateBps: 30_000_000n, burstBytes: 262_144n } });
  expect(await queueOf("aaa")).toContain("rate 30Mbit");
  await ping(places.get("bbb") ?? "", `10.80.0.${"a".charCodeAt(0)}`);
  await net.reopen();
  await net.lans.ensureLan(lan);
  await set("aaa", {});
  expect(await queueOf("aaa")).not.toContain("tbf");
  await set("aaa", { rateOut: { rateBps: 20_000_000n } });
  await net.lans.unplug(port);
  expect(await queueOf("aaa")).not.toContain("tbf");
  await set("aaa", {});
});
