import { describe, expect, it } from "vitest";
import { dhcpHostsFile, dnsmasqConfig, hostsFile } from "../../../../../agent/network/nat/dnsmasq-files.js";
import { destinations } from "../../../../../agent/network/nat/host-addresses.js";
import { parseLeases, withoutLeases } from "../../../../../agent/network/nat/leases.js";
import { allowedListenSchema, mayListen, usualListen } from "../../../../../lib/listen-policy.js";
import type { NatConfig } from "../../../../../agent/network/nat/nat-config.js";
import { natRules, numberForwards } from "../../../../../agent/network/nat/rules.js";
import { toSubnet, toSubnet6 } from "../../../../../agent/network/nat/subnet.js";

const forward = {
  protocol: "tcp",
  listenAddress: "127.0.0.1",
  listenPort: 8080,
  address: "10.1.0.9",
  port: 80,
} as const;
const nat: NatConfig = {
  ...{ uid: "u", name: "hosts/h/nats/n", lan: "lan1", mtu: 1500, domain: "lab", portSettings: undefined },
  subnet: toSubnet("10.1.0.0/24"),
  subnet6: toSubnet6("fd12::/64"),
  range: { first: "10.1.0.2", last: "10.1.0.254" },
  hosts: { byMac: [], byAddress: [] },
  forwards: [forward],
  boot: undefined,
  leaseFile: "/state/leases",
};
const paths = { hosts: "/run/h", dhcpHosts: "/run/d" };

describe("the rules of a nat", () => {
  const rules = natRules(nat, { ipv4: ["203.0.113.1"], ipv6: ["2001:db8::1"] });

  it("refuse what is the host's and metadata before anything is let out", () => {
    expect(rules).toMatch(/denied4 .*127\.0\.0\.0\/8.*169\.254\.0\.0\/16.*203\.0\.113\.1/);
    expect(rules).toMatch(/denied6 .*::ffff:0:0\/96.*fe80::\/10.*2001:db8::1/);
    expect(rules.indexOf("ip daddr @denied4")).toBeLessThan(
      rules.indexOf('ct state established,related accept\n    iifname "lan0" oifname'),
    );
    expect(rules.match(/policy drop/g)).toHaveLength(2);
  });

  it("let out only what guests of the subnet send, and in what is forwarded", () => {
    expect(rules).toContain('iifname "lan0" oifname "tap0" ip saddr 10.1.0.0/24 accept');
    expect(rules).toContain('iifname "lan0" oifname "tap0" ip6 saddr fd12::/64 accept');
    const [numbered] = numberForwards([forward]);
    expect(rules).toContain(`iifname "tap0" tcp dport ${numbered?.innerPort} dnat ip to 10.1.0.9:80`);
    expect(natRules({ ...nat, subnet6: undefined }, { ipv4: [], ipv6: [] })).not.toContain("ip6 saddr");
  });

  it("give each forward a port of its own, whatever the others are", () => {
    const many = Array.from({ length: 256 }, (_, index) => ({ ...forward, listenPort: 2000 + index }));
    const numbered = numberForwards(many);
    expect(new Set(numbered.map(({ innerPort }) => innerPort)).size).toBe(256);
    const [alone] = numberForwards([forward]);
    const [same] = numberForwards([{ ...forward, protocol: "udp" }, forward]);
    expect(same).toEqual(alone);
  });
});

describe("the files of dnsmasq", () => {
  it("say what is given, and that names of guests are not believed", () => {
    const text = dnsmasqConfig(nat, paths);
    expect(text).toContain("dhcp-range=10.1.0.2,10.1.0.254,255.255.255.0,12h\n");
    expect(text).toContain("dhcp-range=fd12::1000,fd12::ffff,ra-names,slaac,64,12h\n");
    expect(text).toContain("dhcp-ignore-names\n");
    expect(text).toContain("dhcp-lease-max=1000\n");
    expect(text).not.toContain("tftp-root");
  });

  it("give nothing when nothing is to be given, and files when there are some", () => {
    const text = dnsmasqConfig({ ...nat, range: undefined }, paths);
    expect(text).not.toMatch(/dhcp-range|enable-ra/);
    const boot = { directory: "/srv/tftp", file: "pxelinux.0" };
    expect(dnsmasqConfig({ ...nat, boot }, paths)).toMatch(/tftp-root=\/srv\/tftp\ndhcp-boot=pxelinux\.0\n/);
    expect(natRules({ ...nat, boot }, { ipv4: [], ipv6: [] })).toContain("53, 67, 547, 69");
  });

  it("have a line for each that has a name or an address", () => {
    const hosts = {
      byMac: [
        { mac: "02:00:00:00:00:01", name: "web", address: "10.1.0.9" },
        { mac: "02:00:00:00:00:02", name: "pc", address: "" },
        { mac: "id:kept-10.1.0.8", name: "", address: "10.1.0.8" },
      ],
      byAddress: [{ address: "10.1.0.7", name: "fixed" }],
    };
    expect(dhcpHostsFile(hosts)).toBe(
      "02:00:00:00:00:01,10.1.0.9,web\n02:00:00:00:00:02,pc\nid:kept-10.1.0.8,10.1.0.8\n",
    );
    expect(hostsFile(hosts)).toBe("10.1.0.7 fixed\n");
  });
});

describe("leases", () => {
  it("are read by address, of both families", () => {
    const text = [
      "1795849102 02:00:00:00:00:05 10.1.0.165 web 01:02:00:00:00:00:05",
      "0 02:00:00:00:00:06 10.1.0.9 * *",
      "duid 00:01:00:01:32:9c:8f:4d:0a:0c:68:ab:dd:2c",
      "1795849102 14443 fd12::1005 pc 00:03:00:01:02:00:00:00:00:05",
    ].join("\n");
    expect(parseLeases(text)).toEqual([
      { address: "10.1.0.9", mac: "02:00:00:00:00:06", name: "", expireTime: undefined },
      { address: "10.1.0.165", mac: "02:00:00:00:00:05", name: "web", expireTime: new Date(1_795_849_102_000) },
      {
        address: "fd12::1005",
        mac: "00:03:00:01:02:00:00:00:00:05",
        name: "pc",
        expireTime: new Date(1_795_849_102_000),
      },
    ]);
  });

  it("that guests have spoilt, or that are cut off, are left out or have no name", () => {
    const text = [
      "1795849102 02:00:00:00:00:05 10.1.0.165",
      "1795849102 02:00:00:00:00:05 not-an-address web *",
      "1795849102 \u001b[2J 10.1.0.3 web *",
      "99999999999999999999 02:00:00:00:00:05 10.1.0.4 web *",
      "1795849102 02:00:00:00:00:05 10.1.0.5 a;b *",
      "179584",
    ].join("\n");
    expect(parseLeases(text).map(({ address, name }) => `${address} ${name}`)).toEqual(["10.1.0.5 ", "10.1.0.165 "]);
  });
});

it("leases of who is gone are taken out of their file, whatever else is in it", () => {
  const kept = ["duid 00:01:00:01", "1795849102 02:00:00:00:00:06 10.1.0.9 pc *", ""];
  const [duid = "", ...rest] = kept;
  const text = [duid, "1795849102 02:00:00:00:00:05 10.1.0.165 web *", ...rest].join("\n");
  expect(withoutLeases(text, ({ name }) => name === "web")).toBe(kept.join("\n"));
});

describe("what nats may listen on", () => {
  it("is the host's own loopback above the ports of services, unless the settings say more", () => {
    expect(mayListen(usualListen, "127.0.0.1", 8080)).toBe(true);
    expect(mayListen(usualListen, "127.0.0.1", 80)).toBe(false);
    expect(mayListen(usualListen, "0.0.0.0", 8080)).toBe(false);
    const allowed = ["192.0.2.1:80", "192.0.2.2:8000-8001", "192.0.2.3"].map((text) => allowedListenSchema.parse(text));
    expect(mayListen(allowed, "192.0.2.1", 80)).toBe(true);
    expect(mayListen(allowed, "192.0.2.1", 81)).toBe(false);
    expect(mayListen(allowed, "192.0.2.2", 8001)).toBe(true);
    expect(mayListen(allowed, "192.0.2.3", 1023)).toBe(false);
    expect(mayListen(allowed, "192.0.2.3", 65_535)).toBe(true);
  });

  it.each(["host:80", "192.0.2.1:0", "192.0.2.1:9-8", "192.0.2.1:70000", "300.0.2.1", "::1"])("is not %s", (text) => {
    expect(allowedListenSchema.safeParse(text).success).toBe(false);
  });
});

it("destinations of routes are addresses and subnets, never everything", () => {
  const routes = [
    { dst: "default" },
    { dst: "10.0.0.0/8" },
    { dst: "::1" },
    { dst: "0.0.0.0/0" },
    { dst: "x; drop" },
    {},
    null,
  ];
  expect(destinations(routes)).toEqual(["10.0.0.0/8", "::1"]);
  expect(destinations(undefined)).toEqual([]);
});
