import { describe, expect, test } from "vitest";
import { checkPeerAddress, formatSocketAddress, parseSocketAddress } from "../../../../lib/net/peer-address.js";

describe("peer addresses", () => {
  test.each(["10.0.0.1:7444", "[fd00::1]:7444", "[2001:db8::5]:1"])("%s may be dialled", (text) => {
    expect(formatSocketAddress(checkPeerAddress("a", text, { allowLoopback: false }))).toBe(text);
  });

  test.each([
    "127.0.0.1:7444",
    "127.9.9.9:7444",
    "[::1]:7444",
    "[::ffff:127.0.0.1]:7444",
    "[::ffff:7f00:1]:7444",
    "0.0.0.0:7444",
    "[::]:7444",
    "169.254.169.254:80",
    "[::ffff:169.254.169.254]:80",
    "[fe80::1]:7444",
    "224.0.0.1:7444",
    "255.255.255.255:7444",
    "[ff02::1]:7444",
    "[fd00:ec2::254]:80",
    "100.100.100.200:80",
    "[64:ff9b::7f00:1]:7444",
    "[2002:7f00:1::]:7444",
    "[::127.0.0.1]:7444",
    "[64:ff9b:1::1]:7444",
    "[::ffff:0:127.0.0.1]:7444",
    "[fd20:ce::254]:80",
    "[2001::1]:7444",
    "10.0.0.1:0",
  ])("%s may not be dialled", (text) => {
    expect(() => checkPeerAddress("a", text, { allowLoopback: false })).toThrow();
  });

  test("tests may dial loopback", () => {
    expect(checkPeerAddress("a", "127.0.0.1:7444", { allowLoopback: true })).toEqual({ ip: "127.0.0.1", port: 7444 });
  });

  test.each([
    "",
    "10.0.0.1",
    "host:7444",
    "10.0.0.1:99999",
    "10.0.0:7444",
    "0x7f.1:80",
    "[10.0.0.1]:7444",
    "::1:7444",
    "[fe80::1%eth0]:1",
    "10.0.0.1:7444\n",
  ])("%j is no address", (text) => {
    expect(() => parseSocketAddress("a", text)).toThrow(/is not an address/);
  });
});
