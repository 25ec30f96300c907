import { expect, it } from "vitest";
import {
  allowedCollectorsSchema,
  allowedControllersSchema,
  findAllowedController,
  outletRefusal,
} from "../../../../../agent/network/outlets/outlet-policy.js";

const keys = { ca: "/etc/ca", certificate: "/etc/cert", key: "/etc/key" };
const policy = {
  collectors: [allowedCollectorsSchema.parse({ remotes: ["10.0.0.0/24", "fd00::9"] })],
  controllers: [
    { remotes: ["10.0.0.9"] },
    { remotes: ["10.0.0.9"], ports: [6654], keys },
    { socket: "/run/ctl.sock" },
  ].map((entry) => allowedControllersSchema.parse(entry)),
};
const refusal = (collectors: readonly string[], controllers: readonly string[] = []) =>
  outletRefusal(policy, { collectors, controllers });

it("lets lans tell those collectors and be given to those controllers that the settings name", () => {
  expect(refusal(["10.0.0.1:2055", "[fd00::9]:6343"], ["tcp:10.0.0.9:6653", "unix:/run/ctl.sock"])).toBeUndefined();
  expect(findAllowedController(policy, "ssl:10.0.0.9:6654")?.keys).toEqual(keys);
});

it.each([
  [["10.0.1.1:2055"], [], "tell 10.0.1.1:2055 of its traffic; the agent's setting collectors could"],
  [["10.0.0.1:53"], [], "tell 10.0.0.1:53 of its traffic; the agent's setting collectors could"],
  [[], ["tcp:10.0.0.9:6654"], "be given to tcp:10.0.0.9:6654; the agent's setting controllers could"],
  [[], ["ssl:10.0.0.9:6653"], "be given to ssl:10.0.0.9:6653; the agent's setting controllers could, with keys"],
  [[], ["unix:/run/other.sock"], "be given to unix:/run/other.sock; the agent's setting controllers could"],
])("refuses %j %j", (collectors, controllers, why) => {
  expect(refusal(collectors, controllers)).toBe(why);
});

it.each([{}, { remotes: ["10.0.0.9"], socket: "/run/x" }, { socket: "x" }, { socket: "/run/x", keys }])(
  "is no setting: %j",
  (entry) => {
    expect(allowedControllersSchema.safeParse(entry).success).toBe(false);
  },
);
