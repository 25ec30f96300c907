import { describe, expect, it } from "vitest";
import { LanMembers } from "../../../../../agent/kinds/nat/lan-members.js";
import { type Member, natHosts } from "../../../../../agent/kinds/nat/nat-hosts.js";
import { checkNat } from "../../../../../agent/kinds/nat/nat-spec.js";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";
import { NatProtocol, NatSpec } from "../../../../../proto/gen/zor/v1/nat.js";

const check = (spec: Parameters<typeof NatSpec.fromPartial>[0]) => checkNat(NatSpec.fromPartial(spec), undefined);
const faultsOf = (spec: Parameters<typeof NatSpec.fromPartial>[0]) =>
  check(spec).violations.map(({ field, description }) => `${field}: ${description}`);

describe("the specification of a nat", () => {
  it("is whole when nothing is said", () => {
    const { spec, violations } = checkNat(undefined, undefined);
    expect(violations).toEqual([]);
    expect(spec).toMatchObject({ subnet: "10.77.0.0/24", subnet6: "fd7a:6f72:a4d::/64", domain: "lab" });
  });

  it("has the usual listener and port of a forward", () => {
    const { spec, violations } = check({ forwards: [{ listenPort: 8080, address: "10.77.0.9" }] });
    expect(violations).toEqual([]);
    expect(spec.forwards).toEqual([
      {
        protocol: NatProtocol.NAT_PROTOCOL_TCP,
        listenAddress: "127.0.0.1",
        listenPort: 8080,
        address: "10.77.0.9",
        port: 8080,
      },
    ]);
  });

  it.each<[string, Parameters<typeof NatSpec.fromPartial>[0], RegExp]>([
    ["a lan that is no id", { lan: "../x" }, /^nat\.spec\.lan: /],
    ["a domain that ends a line", { domain: "lab\nserver=1.2.3.4" }, /^nat\.spec\.domain: /],
    ["a domain that is too long", { domain: `${"a".repeat(60)}.lab` }, /^nat\.spec\.domain: /],
    [
      "a name that ends a field",
      { reservations: [{ mac: "02:00:00:00:00:01", address: "10.77.0.9", name: "a,b" }] },
      /reservations\[0\]\.name/,
    ],
    [
      "a MAC address of many",
      { reservations: [{ mac: "03:00:00:00:00:01", address: "10.77.0.9" }] },
      /reservations\[0\]\.mac/,
    ],
    [
      "a MAC address with more to it",
      { reservations: [{ mac: "02:00:00:00:00:01,ignore", address: "10.77.0.9" }] },
      /reservations\[0\]\.mac/,
    ],
    ["an interface that is none", { reservations: [{ nic: "web", address: "10.77.0.9" }] }, /reservations\[0\]\.nic/],
    [
      "an owner twice over",
      { reservations: [{ nic: "web/eth0", mac: "02:00:00:00:00:01", address: "10.77.0.9" }] },
      /give either mac or nic/,
    ],
    ["no owner", { reservations: [{ address: "10.77.0.9" }] }, /give either mac or nic/],
    [
      "the gateway's address",
      { reservations: [{ nic: "web/eth0", address: "10.77.0.1" }] },
      /reservations\[0\]\.address/,
    ],
    [
      "everybody's address",
      { reservations: [{ nic: "web/eth0", address: "10.77.0.255" }] },
      /reservations\[0\]\.address/,
    ],
    [
      "an address kept twice",
      {
        reservations: [
          { nic: "a/eth0", address: "10.77.0.9" },
          { nic: "b/eth0", address: "10.77.0.9" },
        ],
      },
      /reservations\[1\]\.address: .*twice/,
    ],
    ["a forward to elsewhere", { forwards: [{ listenPort: 8080, address: "127.0.0.1" }] }, /forwards\[0\]\.address/],
    [
      "a forward from no address",
      { forwards: [{ listenPort: 8080, listenAddress: "lo", address: "10.77.0.9" }] },
      /forwards\[0\]\.listen_address/,
    ],
    ["a forward from no port", { forwards: [{ address: "10.77.0.9" }] }, /forwards\[0\]\.listen_port/],
    [
      "a forward to no port",
      { forwards: [{ listenPort: 80, port: 70_000, address: "10.77.0.9" }] },
      /forwards\[0\]\.port/,
    ],
    [
      "a port twice",
      {
        forwards: [
          { listenPort: 80, address: "10.77.0.9" },
          { listenPort: 80, address: "10.77.0.8" },
        ],
      },
      /forwards\[1\]\.listen_port: .*twice/,
    ],
    [
      "too many forwards",
      { forwards: Array.from({ length: 257 }, (_, index) => ({ listenPort: index + 1, address: "10.77.0.9" })) },
      /257 are more than 256/,
    ],
    ["half a range", { dhcpFirst: "10.77.0.9" }, /dhcp_last/],
    ["a range backwards", { dhcpFirst: "10.77.0.9", dhcpLast: "10.77.0.8" }, /comes before/],
    ["a directory that climbs", { boot: { directory: "/srv/../etc", file: "x" } }, /boot\.directory/],
    ["a directory that is not absolute", { boot: { directory: "srv", file: "x" } }, /boot\.directory/],
    ["a file that climbs", { boot: { directory: "/srv", file: "../x" } }, /boot\.file/],
    ["a file with more to it", { boot: { directory: "/srv", file: "x,1.2.3.4" } }, /boot\.file/],
    ["a guard of addresses", { portSettings: { addressGuard: {} } }, /port_settings\.address_guard/],
  ])("is not one with %s", (_, spec, why) => {
    expect(faultsOf(spec).join("; ")).toMatch(why);
  });

  it("keeps its subnets", () => {
    const { spec: before } = check({ subnet: "10.1.0.0/24" });
    expect(checkNat({ ...before, subnet: "", subnet6: "" }, before)).toEqual({ spec: before, violations: [] });
    const moved = checkNat({ ...before, subnet: "10.2.0.0/24", subnet6: "none" }, before);
    expect(moved.violations.map(({ field }) => field)).toEqual(["nat.spec.subnet", "nat.spec.subnet6"]);
  });
});

const member = (instance: string, more: Partial<Member> = {}): Member => ({
  ...{ instance, nic: "eth0", mac: `02:00:00:00:00:${Buffer.from(instance).toString("hex").slice(-2)}` },
  ...{ addresses: [], isFirst: true },
  ...more,
});

describe("names in a nat's lan", () => {
  const spec = (more: Parameters<typeof NatSpec.fromPartial>[0] = {}) => check({ subnet: "10.1.0.0/24", ...more }).spec;

  it("are the instances', and of further interfaces say which", () => {
    const second = member("web", { nic: "eth1", mac: "02:00:00:00:00:ff", isFirst: false });
    expect(natHosts(spec(), [member("web"), second]).byMac).toEqual([
      { mac: "02:00:00:00:00:62", name: "web", address: "" },
      { mac: "02:00:00:00:00:ff", name: "web-eth1", address: "" },
    ]);
  });

  it("are names of hosts whatever instances are called, and nobody takes another's", () => {
    const { byMac } = natHosts(spec(), [
      member("Web.x"),
      member("web-x", { mac: "02:00:00:00:00:01" }),
      member("A_", { mac: "02:00:00:00:00:02" }),
    ]);
    expect(byMac.map(({ name }) => name).sort()).toEqual(["a", "web-x"]);
    expect(byMac.find(({ name }) => name === "web-x")?.mac).toBe("02:00:00:00:00:01");
  });

  it("go with addresses that are kept, and that instances set themselves", () => {
    const reservations = [
      { nic: "web/eth0", address: "10.1.0.9" },
      { nic: "later/eth0", address: "10.1.0.8", name: "soon" },
    ];
    const fixed = member("db", {
      mac: "02:00:00:00:00:03",
      addresses: ["10.1.0.7/24", "fd7a:6f72:a01::7/64", "192.0.2.9/24"],
    });
    expect(natHosts(spec({ reservations }), [member("web"), fixed])).toEqual({
      byMac: [
        { mac: "02:00:00:00:00:62", name: "web", address: "10.1.0.9" },
        { mac: "id:kept-10.1.0.8", name: "soon", address: "10.1.0.8" },
        { mac: "02:00:00:00:00:03", name: "db", address: "10.1.0.7" },
      ],
      byAddress: [
        { address: "10.1.0.7", name: "db" },
        { address: "fd7a:6f72:a01::7", name: "db" },
      ],
    });
  });

  it("have each MAC address and each address once", () => {
    const twins = [
      member("a", { mac: "02:00:00:00:00:01", addresses: ["10.1.0.7/24"] }),
      member("b", { mac: "02:00:00:00:00:01" }),
    ];
    const third = member("c", { mac: "02:00:00:00:00:02", addresses: ["10.1.0.7/24"] });
    expect(natHosts(spec(), [...twins, third]).byMac).toEqual([
      { mac: "02:00:00:00:00:01", name: "a", address: "10.1.0.7" },
      { mac: "02:00:00:00:00:02", name: "c", address: "" },
    ]);
  });
});

describe("who is in a lan", () => {
  const instance = (...lans: readonly string[]) =>
    Instance.fromPartial({
      spec: { nics: lans.map((lan, index) => ({ name: `eth${index}`, lan, mac: `02:00:00:00:00:0${index}` })) },
    });

  it("is news only for the lans that an instance comes into, leaves or is otherwise in", () => {
    const members = new LanMembers();
    expect(members.set("hosts/h/instances/web", instance("lan1", ""))).toEqual(["lan1"]);
    expect(members.set("hosts/h/instances/web", instance("lan1", ""))).toEqual([]);
    expect(members.set("hosts/h/instances/pc", instance())).toEqual([]);
    expect([...members.set("hosts/h/instances/web", instance("lan2", "lan2"))].sort()).toEqual(["lan1", "lan2"]);
    expect(members.of("lan1")).toEqual([]);
    expect(members.of("lan2").map(({ instance: id, nic, isFirst }) => [id, nic, isFirst])).toEqual([
      ["web", "eth0", true],
      ["web", "eth1", false],
    ]);
    expect(members.set("hosts/h/instances/web", undefined)).toEqual(["lan2"]);
    expect(members.of("lan2")).toEqual([]);
  });
});
