import { expect, test } from "vitest";
import { placeOf } from "../../../../tui/cli/install/hub-health.js";

const state = "/srv/hub";
test.each([
  [["10.0.0.5:7440", "127.0.0.1:7441"], "127.0.0.1:7441"],
  [["10.0.0.5:7440"], "10.0.0.5:7440"],
  [["0.0.0.0:7440"], "127.0.0.1:7440"],
  [["[::]:7440"], "[::1]:7440"],
  [["[fd00::5]:7440", "[::1]:9000"], "[::1]:9000"],
  [[], "127.0.0.1:7440"],
])("a hub that listens at %j is asked on its machine at %s", (listen, address) => {
  expect(placeOf({ listen, state })).toEqual({ address, state });
});
