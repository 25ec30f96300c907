import { describe, expect, it } from "vitest";
import { parseCidr, parseInterfaceName, parseMac } from "../../../../agent/network/ip.js";
import { toBridgeName, toContainerNetns, toPortName } from "../../../../agent/network/names.js";

const refused = { code: 3, reason: "INVALID_FIELD" };

describe("interface names, MAC addresses and addresses that reach the ip tool", () => {
  it.each(["eth0", "lan-1.5", "a", "0abc", "abcdefghijklmno"])("takes the interface name %s", (name) => {
    expect(parseInterfaceName("nic.name", name)).toBe(name);
  });

  it.each([
    "",
    "lo",
    "all",
    "-eth0",
    ".eth0",
    "eth0\nlink delete dev x",
    "eth 0",
    "eth/0",
    "abcdefghijklmnop",
    "eth0\0",
  ])("refuses the interface name %j", (name) => {
    expect(() => parseInterfaceName("nic.name", name)).toThrow(expect.objectContaining(refused));
  });

  it("takes a unicast MAC address in lower case", () => {
    expect(parseMac("nic.mac", "02:AB:cd:00:00:01")).toBe("02:ab:cd:00:00:01");
  });

  it.each([
    "",
    "00:00:00:00:00:00",
    "01:00:5e:00:00:01",
    "02:00:00:00:00",
    "02:00:00:00:00:01 up",
    "02-00-00-00-00-01",
  ])("refuses the MAC address %j", (mac) => {
    expect(() => parseMac("nic.mac", mac)).toThrow(expect.objectContaining(refused));
  });

  it.each(["10.0.0.1/24", "10.0.0.1/0", "fd00::1/64", "fd00::1/128"])("takes the address %s", (address) => {
    expect(parseCidr("nic.addresses", address)).toBe(address);
  });

  it.each([
    "10.0.0.1",
    "10.0.0.1/33",
    "fd00::1/129",
    "10.0.0.1/24/1",
    "10.0.0.1/24\n",
    "fe80::1%eth0/64",
    "host/24",
    "10.0.0.1/-1",
    "0.0.0.0/0",
    "127.0.0.1/8",
    "224.0.0.1/4",
    "255.255.255.255/32",
    "::/0",
    "::1/128",
    "ff02::1/64",
  ])("refuses the address %j", (address) => {
    expect(() => parseCidr("nic.addresses", address)).toThrow(expect.objectContaining(refused));
  });
});

describe("names on the host", () => {
  it("fit the kernel's 15 characters and differ by instance, interface and lan", () => {
    const names = [
      toPortName("u1", 0),
      toPortName("u1", 1),
      toPortName("u10", 0),
      toBridgeName("u1"),
      toBridgeName("u2"),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(names.every((name) => name.length <= 15)).toBe(true);
    expect(toPortName("u1", 0)).toBe(names[0]);
  });

  it("keep a container's namespace below the switch's", () => {
    expect(toContainerNetns("zor-alpha", "u1").startsWith("zor-alpha.")).toBe(true);
  });
});
