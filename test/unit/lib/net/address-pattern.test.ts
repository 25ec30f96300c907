import { isIPv6 } from "node:net";
import { expect, it } from "vitest";
import { compileAddressPattern } from "../../../../lib/net/address-pattern.js";

it("leaves what is told of addresses as it is", () => {
  compileAddressPattern();
  const told = ["::1", "fd00::1%eth0", "::ffff:10.0.0.1", "10.0.0.1", "fd00::1::2", "hub.example"].filter(isIPv6);
  expect(told).toEqual(["::1", "fd00::1%eth0", "::ffff:10.0.0.1"]);
});
