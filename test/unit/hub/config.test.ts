import { describe, expect, test } from "vitest";
import { advertisedAddresses, canonicalAddress, hubConfigSchema, ownAddresses } from "../../../hub/config.js";

describe("the addresses that joiners are told", () => {
  const bound = {
    listen: ["10.0.0.1:7440"],
    join: ["10.0.0.1:7441"],
    reverse: ["10.0.0.1:7442"],
    relay: ["10.0.0.1:7445"],
  };

  test("are those the hub listens on", () => {
    expect(advertisedAddresses(bound, [])).toEqual({
      hub: ["10.0.0.1:7440"],
      join: ["10.0.0.1:7441"],
      reverse: ["10.0.0.1:7442"],
      relay: ["10.0.0.1:7445"],
      ips: ["10.0.0.1"],
    });
  });

  test("are the advertised ones where given, with the join and reverse ports on the same IPs", () => {
    const told = advertisedAddresses(bound, ["192.0.2.1:443", "[2001:db8::1]:443"]);
    expect(told).toEqual({
      hub: ["192.0.2.1:443", "[2001:db8::1]:443"],
      join: ["192.0.2.1:7441", "[2001:db8::1]:7441"],
      reverse: ["192.0.2.1:7442", "[2001:db8::1]:7442"],
      relay: ["192.0.2.1:7445", "[2001:db8::1]:7445"],
      ips: ["10.0.0.1", "192.0.2.1", "2001:db8::1"],
    });
  });

  test("stand for every address of the machine when the hub listens on all", () => {
    const { hub, ips } = advertisedAddresses({ ...bound, listen: ["0.0.0.0:7440"] }, []);
    expect(hub).toContain("127.0.0.1:7440");
    expect(hub).not.toContain("0.0.0.0:7440");
    expect(ips).not.toContain("0.0.0.0");
  });
});

describe("the hub's own addresses", () => {
  const bound = { listen: ["[::1]:7440"], join: [], reverse: ["10.0.0.1:7442"], relay: ["0.0.0.0:7445"] };

  test.each([
    ["[::1]:7440", true],
    ["[0:0:0:0:0:0:0:1]:7440", true],
    ["[::ffff:10.0.0.1]:7442", true],
    ["127.0.0.1:7445", true],
    ["10.0.0.1:7443", false],
    ["10.0.0.2:7442", false],
  ])("%s is one of them: %s", (address, own) => {
    expect(ownAddresses(bound).has(canonicalAddress(address))).toBe(own);
  });
});

describe("the settings of a hub", () => {
  test("have safe defaults: loopback only", () => {
    const config = hubConfigSchema.parse({});
    const addresses = [...config.listen, ...config.joinListen, ...config.reverseListen, ...config.relayListen];
    expect(addresses).toEqual(["127.0.0.1:7440", "127.0.0.1:7441", "127.0.0.1:7442", "127.0.0.1:7445"]);
    expect(config.state).toBe("/var/lib/zor/hub");
  });

  test.each([
    [{ listen: ["-lab:7440"] }],
    [{ listen: ["10.0.1:7440"] }],
    [{ listen: ["10.0.0.1"] }],
    [{ listen: ["10.0.0.1:99999"] }],
    [{ listen: ["::1:7440"] }],
    [{ listen: [] }],
    [{ name: "-x" }],
    [{ state: "" }],
    [{ hostCertificateDays: 0 }],
    [{ unknown: 1 }],
  ])("%j is refused", (settings) => {
    expect(hubConfigSchema.safeParse(settings).success).toBe(false);
  });

  test("a relative state directory is made absolute", () => {
    expect(hubConfigSchema.parse({ state: "x" }).state).toBe(`${process.cwd()}/x`);
  });
});
