import { expect, test } from "vitest";
import { sharedPrefixBits } from "../../../lib/ip-prefix.js";

test.each([
  ["198.18.0.1", "198.18.0.2", 30],
  ["198.18.0.5", "198.18.0.2", 29],
  ["10.0.0.1", "10.0.0.1", 32],
  ["10.0.0.1", "200.0.0.1", 0],
  ["fd00::1", "fd00::2", 126],
  ["fd00:1::1", "fd00:1:0:0:0:0:0:1", 128],
  ["::", "::", 128],
  ["10.0.0.1", "fd00::1", 0],
  ["10.0.0.1", "nonsense", 0],
])("%s and %s share their first %i bits", (left, right, bits) => {
  expect(sharedPrefixBits(left, right)).toBe(bits);
});
