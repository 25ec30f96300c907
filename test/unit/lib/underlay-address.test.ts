import { describe, expect, test } from "vitest";
import { refusalOfUnderlayIp } from "../../../lib/underlay-address.js";

describe("an address between hosts", () => {
  test.each([
    ...["10.0.0.1", "172.16.3.4", "192.168.7.9", "100.64.0.1", "8.8.8.8", "223.255.255.1"],
    // Documentation and benchmarking, which labs use; the demo lives in 198.18.0.0/15.
    ...[
      "192.0.2.1",
      "198.51.100.7",
      "203.0.113.5",
      "198.18.0.1",
      "198.19.255.254",
      "2001:db8::1",
      "3fff::1",
      "2001:2::1",
    ],
    ...["fd00::1", "fc00::1", "2a00:1450::1", "2001:4860::1", "fd20:cf::254", "::ffff:10.0.0.1", "::ffff:a00:1"],
  ])("may be %s", (ip) => {
    expect(refusalOfUnderlayIp(ip)).toBeUndefined();
  });

  test("may be loopback where all hosts are in one place, and nothing else that may not be", () => {
    const allowLoopback = true;
    for (const ip of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      expect(refusalOfUnderlayIp(ip, { allowLoopback })).toBeUndefined();
    }
    for (const ip of ["169.254.169.254", "fe80::1", "64:ff9b::7f00:1", "0.0.0.0"]) {
      expect(refusalOfUnderlayIp(ip, { allowLoopback })).toBeDefined();
    }
  });

  test.each([
    ["127.0.0.1", /loopback/],
    ["127.8.9.1", /loopback/],
    ["::1", /loopback/],
    ["0:0:0:0:0:0:0:1", /loopback/],
    ["::ffff:127.0.0.1", /loopback/],
    ["::ffff:7f00:1", /loopback/],
    ["169.254.169.254", /metadata/],
    ["::ffff:169.254.169.254", /metadata/],
    ["fd00:ec2::254", /metadata/],
    ["169.254.3.4", /link-local/],
    ["fe80::1", /link-local/],
    ["224.0.0.251", /multicast/],
    ["ff02::1", /multicast/],
    ["0.0.0.0", /unspecified/],
    ["::", /unspecified/],
    ["255.255.255.255", /reserved/],
    ["64:ff9b::7f00:1", /translated/],
    ["2002:7f00:1::", /translated/],
    ["64:ff9b::1.2.3.4", /translated/],
    ["64:ff9b::a00:1", /translated/],
    ["64:ff9b:1::1", /translated/],
    ["64:ff9b:1:ffff:ffff::1", /translated/],
    ["::ffff:0:127.0.0.1", /translated/],
    ["::ffff:0:a00:1", /translated/],
    ["::127.0.0.1", /translated/],
    ["::a00:1", /translated/],
    ["2001::1", /translated/],
    ["2001:0:53aa:64c::1", /translated/],
    ["2001:db8::5efe:7f00:1", /translated/],
    ["fd00::200:5efe:a00:1", /translated/],
    ["fd20:ce::254", /metadata/],
    ["fd00:ec2::23", /metadata/],
    ["fd00:ec2:0:0::254", /metadata/],
    ["fd00:a9fe:a9fe::1", /metadata/],
    ["fd00:c1::a9fe:a9fe", /metadata/],
    ["100.100.100.200", /metadata/],
    ["::ffff:100.100.100.200", /metadata/],
    ["168.63.129.16", /metadata/],
    ["192.0.0.192", /metadata/],
    ["169.254.170.2", /metadata/],
    ["febf::1", /link-local/],
    ["fec0::1", /reserved/],
    ["239.255.255.250", /multicast/],
    ["::ffff:224.0.0.1", /multicast/],
    ["ff05::2", /multicast/],
    ["0.1.2.3", /unspecified/],
    ["240.0.0.1", /reserved/],
    ["192.0.0.8", /reserved/],
    ["192.88.99.1", /reserved/],
    ["100::1", /reserved/],
    ["2001:10::1", /reserved/],
    ["2001:20::1", /reserved/],
    ["2001:100::1", /reserved/],
    ["5f00::1", /reserved/],
    ["4000::1", /reserved/],
    ["1::1", /reserved/],
    ["fe80::1%eth0", /not an IP/],
    ["example.com", /not an IP/],
    ["127.1", /not an IP/],
    ["", /not an IP/],
  ])("is not %s", (ip, why) => {
    expect(refusalOfUnderlayIp(ip)).toMatch(why);
  });
});
