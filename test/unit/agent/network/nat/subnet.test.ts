import { describe, expect, it } from "vitest";
import {
  defaultSubnet6,
  isIn,
  overlaps,
  subnet6Fault,
  subnetFault,
  toSubnet,
  toSubnet6,
} from "../../../../../agent/network/nat/subnet.js";

describe("an IPv4 subnet of a nat", () => {
  it.each([
    ["10.1.0.1/24", /beginning of a subnet: write 10\.1\.0\.0\/24/],
    ["10.0.0.0/8", /\/8 is not from \/16 to \/29/],
    ["10.0.0.0/30", /\/30 is not/],
    ["127.0.0.0/24", /127\.0\.0\.0\/8/],
    ["169.254.0.0/24", /meaning of their own/],
    ["224.0.0.0/24", /meaning of their own/],
    ["198.51.100.0/24", /meaning of their own/],
    ["0.1.0.0/24", /meaning of their own/],
    ["010.1.0.0/24", /not an IPv4 subnet/],
    ["10.1.0.0/24\n", /not an IPv4 subnet/],
    ["10.1/16", /not an IPv4 subnet/],
    ["fd00::/64", /not an IPv4 subnet/],
    ["", /not an IPv4 subnet/],
  ])("is not %j", (text, why) => {
    expect(subnetFault(text)).toMatch(why);
  });

  it("has the first address for the gateway, and the others but the last for guests", () => {
    expect(subnetFault("10.1.2.0/24")).toBeUndefined();
    expect(toSubnet("10.1.2.0/24")).toEqual({
      ...{ cidr: "10.1.2.0/24", prefix: 24, mask: "255.255.255.0" },
      ...{ gateway: "10.1.2.1", first: "10.1.2.2", last: "10.1.2.254" },
    });
    expect(toSubnet("192.168.255.248/29")).toMatchObject({ gateway: "192.168.255.249", last: "192.168.255.254" });
  });
});

describe("an IPv6 subnet of a nat", () => {
  it.each([
    ["2001:db8::/64", /not in fc00::\/7/],
    ["fd00::/64", /taken by the nat itself/],
    ["fd12::/48", /not a \/64/],
    ["fd12::1/64", /write fd12::\/64/],
    ["10.0.0.0/24", /not an IPv6 subnet/],
    ["fd12::%eth0/64", /not an IPv6 subnet/],
  ])("is not %j", (text, why) => {
    expect(subnet6Fault(text)).toMatch(why);
  });

  it("follows from that of IPv4, another from each", () => {
    expect(defaultSubnet6("10.77.0.0/24")).toBe("fd7a:6f72:a4d::/64");
    expect(defaultSubnet6("10.77.1.0/24")).toBe("fd7a:6f72:a4d:100::/64");
    for (const cidr of ["10.77.0.0/24", "10.77.1.0/24", "192.168.255.0/24"]) {
      expect(subnet6Fault(defaultSubnet6(cidr))).toBeUndefined();
    }
    expect(toSubnet6("fd12:0:0:1::/64")).toEqual({ cidr: "fd12:0:0:1::/64", gateway: "fd12:0:0:1::1" });
  });
});

it("subnets overlap where they have an address in common, and only those of one family", () => {
  expect(overlaps("10.0.0.0/8", "10.1.0.0/24")).toBe(true);
  expect(overlaps("10.1.0.5", "10.1.0.0/24")).toBe(true);
  expect(overlaps("10.1.0.0/24", "10.1.1.0/24")).toBe(false);
  expect(overlaps("::/0", "10.1.1.0/24")).toBe(false);
  expect(isIn("fd12::/64", "fd12::9")).toBe(true);
  expect(isIn("fd12::/64", "no address")).toBe(false);
});
