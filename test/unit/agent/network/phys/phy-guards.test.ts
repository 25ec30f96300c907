import { describe, expect, it } from "vitest";
import { childWords } from "../../../../../agent/network/phys/phy-children.js";
import { dangersOf, type GuardFacts, parseConnections } from "../../../../../agent/network/phys/phy-guards.js";

const address = { family: "inet", local: "192.0.2.5", prefixlen: 24 };
const harmless: GuardFacts = {
  device: "eth1",
  facts: { addresses: [address], routes4: [{ dst: "198.51.100.0/24", dev: "eth1" }], routes6: [] },
  own: { local: ["203.0.113.1"], remote: ["203.0.113.9"] },
  ways: new Map([["203.0.113.9", "eth0"]]),
};

describe("what may cut the host off", () => {
  it.each<[string, Partial<GuardFacts>, string]>([
    ["nothing", {}, ""],
    ["IPv4", { facts: { ...harmless.facts, routes4: [{ dst: "default" }] } }, "has the host's default route"],
    ["IPv6", { facts: { ...harmless.facts, routes6: [{ dst: "default" }] } }, "has the host's default route"],
    ["a route that refuses", { facts: { ...harmless.facts, routes4: [{ dst: "default", type: "unreachable" }] } }, ""],
    ["an address", { own: { local: ["192.0.2.5"], remote: [] } }, "has 192.0.2.5, which the agent uses"],
    ["a way", { ways: new Map([["203.0.113.9", "eth1"]]) }, "leads to 203.0.113.9, which the agent speaks with"],
  ])("%s", (_, change, danger) => {
    expect(dangersOf({ ...harmless, ...change }).join()).toBe(danger);
  });
});

describe("the agent's own connections", () => {
  const line = (number: number, words: string, inode: number) =>
    `   ${number}: ${words} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000 100 0 0 10 0`;
  const mapped = "0000000000000000FFFF0000";
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    line(0, "0100007F:1F90 00000000:0000 0A", 1),
    line(1, "050200C0:1D13 09717100:0050 06", 2),
    line(2, "050200C0:1D13 097100CB:C350 01", 3),
    line(3, "060200C0:1D13 00000000:0000 0A", 4),
    line(4, "070200C0:1D13 00000000:0000 0A", 9),
    line(5, `${mapped}080200C0:1D13 ${mapped}087100CB:C350 01`, 5),
    line(6, "B80D0120000000000000000001000000:1D13 B80D0120000000000000000009000000:C350 01", 6),
  ].join("\n");

  it("are those of its sockets that are established or listen, loopback aside", () => {
    const { local, remote } = parseConnections(table, new Set(["1", "2", "3", "4", "5", "6"]));
    expect(local).toEqual(["192.0.2.5", "192.0.2.6", "192.0.2.8", "2001:db8::1"]);
    expect(remote).toEqual(["203.0.113.9", "203.0.113.8", "2001:db8::9"]);
  });

  it("are none of others", () => {
    expect(parseConnections(table, new Set())).toEqual({ local: [], remote: [] });
  });
});

describe("what stands on an interface", () => {
  const child = {
    name: "hosts/h/phys/p",
    device: "eth1",
    mac: "02:00:00:00:00:01",
    port: "zy1",
    netns: "zor-h",
    tag: "t",
  };
  it("is made where the switch is, and the interface stays as it is", () => {
    expect(childWords({ ...child, mode: "vlan", vlanId: 10 }).join(" ")).toBe(
      "link add link eth1 name zy1 netns zor-h type vlan id 10",
    );
    expect(childWords({ ...child, mode: "macvlan", vlanId: 0 }).join(" ")).toBe(
      "link add link eth1 name zy1 address 02:00:00:00:00:01 netns zor-h type macvlan mode bridge",
    );
  });
});
