import { describe, expect, test } from "vitest";
import { refusalOfUnderlayIp } from "../../../lib/underlay-address.js";

describe("an address between hosts", () => {
  test.each(["10.0.0.1", "192.168.7.9", "203.0.113.5", "100.64.0.1", "2001:db8::1", "fd00::1", "::ffff:10.0.0.1"])(
    "may be %s",
    (ip) => {
      expect(refusalOfUnderlayIp(ip)).toBeUndefined();
    },
  );

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
    ["fe80::1%eth0", /not an IP/],
    ["example.com", /not an IP/],
    ["127.1", /not an IP/],
    ["", /not an IP/],
  ])("is not %s", (ip, why) => {
    expect(refusalOfUnderlayIp(ip)).toMatch(why);
  });
});
