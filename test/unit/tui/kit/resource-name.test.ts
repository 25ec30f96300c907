import { expect, test } from "vitest";
import { shortName } from "../../../../tui/kit/resource-name.js";

test.each([
  ["hosts/alpha/instances/vm1/nics/eth0", "alpha/vm1/eth0"],
  ["links/demo", "demo"],
  ["zor://user/ana", "user/ana"],
  ["", ""],
])("%s is written %s", (name, short) => {
  expect(shortName(name)).toBe(short);
});
