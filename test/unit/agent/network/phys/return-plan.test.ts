import { describe, expect, it } from "vitest";
import { type HostAnswers, toFacts, whyNotTaken } from "../../../../../agent/network/phys/phy-facts.js";
import { returnPlan, surplus } from "../../../../../agent/network/phys/return-plan.js";

const forever = { valid_life_time: 4294967295, preferred_life_time: 4294967295 };
const link = {
  ...{ ifname: "eth1", flags: ["BROADCAST", "MULTICAST", "PROMISC", "UP", "LOWER_UP"], mtu: 1400, txqlen: 321 },
  ...{ address: "02:00:00:00:00:01", ifalias: "to the rack's switch", link_type: "ether" },
  addr_info: [
    {
      family: "inet",
      local: "198.18.0.2",
      prefixlen: 24,
      broadcast: "198.18.0.255",
      scope: "global",
      label: "eth1",
      ...forever,
    },
    { family: "inet", local: "198.18.0.3", prefixlen: 24, scope: "global", label: "eth1:1", ...forever },
    {
      family: "inet",
      local: "198.18.9.1",
      address: "198.18.9.2",
      prefixlen: 32,
      scope: "global",
      label: "eth1",
      ...forever,
    },
    { family: "inet6", local: "fd18::2", prefixlen: 64, scope: "global", ...forever },
    {
      family: "inet6",
      local: "fd18::3",
      prefixlen: 64,
      scope: "global",
      dynamic: true,
      valid_life_time: 60,
      preferred_life_time: 30,
    },
    { family: "inet6", local: "fe80::1", prefixlen: 64, scope: "link", protocol: "kernel_ll", ...forever },
    { family: "inet6", local: "fd18::4", prefixlen: 64, scope: "global", temporary: true, valid_life_time: 60 },
  ],
};
const answers: HostAnswers = {
  links: [{ ifname: "lo", link_type: "loopback" }, {}, link],
  routes4: [
    {
      type: "unicast",
      dst: "default",
      gateway: "198.18.0.1",
      dev: "eth1",
      table: "main",
      protocol: "boot",
      flags: ["onlink"],
    },
    { type: "unicast", dst: "198.18.0.0/24", dev: "eth1", table: "main", protocol: "kernel", scope: "link", flags: [] },
    { type: "unicast", dst: "198.19.0.0/24", dev: "eth1", table: "77", protocol: "boot", scope: "link", flags: [] },
    {
      type: "unicast",
      dst: "10.0.0.0/8",
      gateway: "192.0.2.1",
      dev: "eth0",
      table: "main",
      protocol: "boot",
      flags: [],
    },
    {
      ...{ type: "unicast", dst: "10.1.0.0/16", table: "main", protocol: "static", metric: 5, flags: [] },
      metrics: [{ mtu: 1300 }, { advmss: 1200 }],
      nexthops: [
        { gateway: "198.18.0.1", dev: "eth1", weight: 2, flags: [] },
        { gateway: "192.0.2.1", dev: "eth0", weight: 1, flags: [] },
      ],
    },
  ],
  routes6: [
    {
      type: "unicast",
      dst: "fd19::/64",
      gateway: "fd18::1",
      dev: "eth1",
      table: "main",
      protocol: "ra",
      metric: 99,
      expires: "500sec",
      pref: "medium",
      flags: [],
    },
  ],
  neighbours: [{ dst: "198.18.0.7", lladdr: "02:00:00:00:00:07", state: ["PERMANENT"] }],
  qdiscs: [{ kind: "pfifo", handle: "8001:", root: true, options: { limit: 77 } }],
  settings: { "ipv4/conf/*/rp_filter": "2" },
};

function factsOf(change: Partial<HostAnswers> = {}) {
  const facts = toFacts("eth1", { ...answers, ...change });
  if (facts === undefined) throw new Error("there is no eth1");
  return facts;
}
const text = (commands: readonly (readonly string[])[]) => commands.map((words) => words.join(" "));

describe("what gives an interface back", () => {
  it("is what was found, in an order in which the kernel takes it", () => {
    const plan = returnPlan("eth1", factsOf(), "02:00:00:00:00:99");
    expect(text(plan.prepare)).toEqual([
      "link set dev eth1 down",
      "link set dev eth1 address 02:00:00:00:00:01",
      "link set dev eth1 mtu 1400",
      "link set dev eth1 txqueuelen 321",
      "link set dev eth1 promisc on",
      "link set dev eth1 allmulticast off",
    ]);
    expect(plan.settings).toEqual({ "ipv4/conf/*/rp_filter": "2" });
    expect(text(plan.addresses)).toEqual([
      "link set dev eth1 up",
      "address replace 198.18.0.2/24 broadcast 198.18.0.255 dev eth1 scope global",
      "address replace 198.18.0.3/24 dev eth1 label eth1:1 scope global",
      "address replace 198.18.9.1 peer 198.18.9.2/32 dev eth1 scope global",
      "address replace fd18::2/64 dev eth1 scope global nodad",
      "address replace fd18::3/64 dev eth1 scope global valid_lft 60 preferred_lft 30 nodad",
      "address replace fe80::1/64 dev eth1 scope link proto kernel_ll nodad",
      "neighbour replace 198.18.0.7 lladdr 02:00:00:00:00:07 dev eth1 nud permanent",
    ]);
    expect(text(plan.routes)).toEqual([
      "-4 route replace 198.19.0.0/24 table 77 proto boot scope link dev eth1",
      "-4 route replace default table main proto boot via 198.18.0.1 dev eth1 onlink",
      "-4 route replace 10.1.0.0/16 table main proto static metric 5 mtu 1300 advmss 1200 nexthop via 198.18.0.1 dev eth1 weight 2 nexthop via 192.0.2.1 dev eth0 weight 1",
      "-6 route replace fd19::/64 table main proto ra metric 99 pref medium expires 500 via fd18::1 dev eth1",
    ]);
    expect(text(plan.finish)).toEqual([
      "address change fd18::2/64 dev eth1 scope global",
      "address change fd18::3/64 dev eth1 scope global valid_lft 60 preferred_lft 30",
      "address change fe80::1/64 dev eth1 scope link proto kernel_ll",
    ]);
    expect(plan.qdisc?.join(" ")).toBe("qdisc replace dev eth1 root handle 8001: pfifo limit 77");
    expect(plan.alias).toBe("to the rack's switch");
  });

  it("leaves one down that was, with the address that it has, and no queueing of the kernel's own", () => {
    const down = { ...link, flags: ["BROADCAST"], addr_info: link.addr_info.slice(0, 1), ifalias: undefined };
    const qdiscs = [{ kind: "noop", handle: "0:", root: true, options: {} }];
    const plan = returnPlan("eth1", factsOf({ links: [down], qdiscs }), down.address);
    expect(text(plan.prepare).join()).not.toContain("02:00:00:00:00:01");
    expect(text(plan.addresses).join()).not.toContain(" up");
    expect(plan.routes).toEqual([]);
    expect(plan.qdisc).toBeUndefined();
    expect(plan.alias).toBe("");
  });

  it("has options of fq_codel with their units", () => {
    const options = {
      limit: 1000,
      flows: 64,
      quantum: 1514,
      target: 4999,
      interval: 99999,
      memory_limit: 1048576,
      ecn: true,
    };
    const plan = returnPlan("eth1", factsOf({ qdiscs: [{ kind: "fq_codel", handle: "1:", root: true, options }] }), "");
    expect(plan.qdisc?.join(" ")).toContain(
      "fq_codel limit 1000 flows 64 quantum 1514 target 4999us interval 99999us memory_limit 1048576 ecn",
    );
  });

  it("takes away what the kernel made of its MAC address meanwhile", () => {
    const made = { local: "fe80::ff:fe00:1", prefixlen: 64, scope: "link" };
    const present = [made, { local: "fe80::1", prefixlen: 64, scope: "link" }, { local: "fd18::9", scope: "global" }];
    expect(text(surplus("eth1", factsOf(), present))).toEqual(["address delete fe80::ff:fe00:1/64 dev eth1"]);
  });

  it("is nothing where there is no such interface", () => {
    expect(toFacts("eth9", answers)).toBeUndefined();
    expect(toFacts("eth1", { ...answers, links: undefined })).toBeUndefined();
  });
});

describe("what is not taken", () => {
  const of = (change: object) => ({ links: [{ ...link, ...change }] });
  const route = { type: "unicast", dst: "10.0.0.0/8", dev: "eth1", protocol: "boot", flags: [] };
  it.each<[string, Partial<HostAnswers>, readonly string[], RegExp]>([
    ["the loopback", of({ link_type: "loopback" }), [], /loopback/],
    ["what an agent made", of({ ifalias: "zor-agent=x zor-tap=y" }), [], /was made by an agent/],
    ["a bridge", of({ linkinfo: { info_kind: "bridge" } }), [], /is a bridge/],
    ["a port of a bridge", of({ master: "br0" }), [], /is a port of br0/],
    ["what carries a VLAN", {}, ["eth1.10"], /carries eth1\.10/],
    ["a route by an object", { routes4: [{ ...route, nhid: 7 }] }, [], /nexthop object/],
    ["a route that encapsulates", { routes6: [{ ...route, encap: "mpls" }] }, [], /encapsulation/],
    ["classes", { qdiscs: [{ kind: "htb", handle: "1:", root: true }] }, [], /\(htb\).*tc qdisc delete dev eth1 root/],
    ["ingress", { qdiscs: [{ kind: "ingress", handle: "ffff:", parent: "ffff:fff1" }] }, [], /\(ingress\)/],
  ])("%s", (_, change, others, why) => {
    expect(whyNotTaken(factsOf(change), others)).toMatch(why);
  });

  it("and all else is", () => {
    expect(whyNotTaken(factsOf(), [])).toBeUndefined();
    expect(whyNotTaken(factsOf(of({ linkinfo: { info_kind: "veth" } })), [])).toBeUndefined();
  });
});
