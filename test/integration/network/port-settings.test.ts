import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { settlePort } from "../../../agent/network/lans/port-check.js";
import { toPortName } from "../../../agent/network/names.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { NetworkFixture, until } from "./fixture.js";

let net: NetworkFixture;

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false });
  for (const uid of ["aaa", "bbb"]) await net.plugContainer(uid, "lan1", `10.80.0.${uid.charCodeAt(0)}/24`);
});

afterAll(() => net.destroy());

/** Gives a container's port these settings, as a change of its NIC does. */
async function set(uid: string, wanted: Parameters<typeof PortSettings.fromPartial>[0]): Promise<void> {
  const endpoint = `hosts/t/instances/${uid}/nics/eth0`;
  const settings = settlePort(PortSettings.fromPartial(wanted));
  await net.lans.plug({ lan: "lan1", port: toPortName(uid, 0), endpoint, settings });
}

test("what somebody changes of a port behind our back is put right, also when the port is removed", async () => {
  await set("aaa", { vlan: { tag: 10 }, mirrorFrom: ["span1"] });
  await set("bbb", { mirrorTo: ["span1"] });
  const told: string[] = [];
  net.lans.onPortChange(({ endpoint, fault }) => told.push(`${endpoint}: ${fault}`));
  const port = toPortName("aaa", 0);
  const columns = () => net.vsctl("--if-exists", "get", "Port", port, "tag", "vlan_mode");
  const isRight = async () => (await columns()) === "10\naccess";
  await expect(set("aaa", { mirrorTo: ["span1"] })).rejects.toThrow(/mirror span1 come out of .*bbb.* already/);
  await net.vsctl("--all", "destroy", "Mirror");
  await until("the mirror to be there again", async () => (await net.vsctl("list", "Mirror")) !== "");
  await net.vsctl("set", "Port", port, "tag=77", "vlan_mode=trunk");
  await until("the VLAN to be put right", isRight);
  await net.vsctl("clear", "Port", port, "tag", "vlan_mode");
  await until("the port to be put right", isRight);
  await net.vsctl("del-port", port);
  await until("the port to be plugged again", isRight);
  const faultOf = () => net.lans.find("lan1")?.ports.find((one) => one.port === port)?.error;
  await until("all to be as it should", () => faultOf() === "");
  const about = "hosts/t/instances/aaa/nics/eth0: ";
  expect(told).toContain(`${about}it was taken out of its lan at the switch`);
  expect(told.filter((one) => one.includes("its settings were changed at the switch (")).length).toBeGreaterThan(0);
  await until("to be told of it", () => told.at(-1) === about);
  await set("aaa", { vlan: { tag: 10 } });
  expect(await net.vsctl("list", "Mirror")).toBe("");
});
