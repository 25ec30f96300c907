import { expect, test } from "vitest";
import { findDuplicates, type PluggedNic } from "../../../../../hub/kinds/lan/find-duplicates.js";

const nic = (host: string, instance: string, lan: string, mac = "02:00:00:00:00:01"): PluggedNic => ({
  name: `hosts/${host}/instances/${instance}/nics/eth0`,
  mac,
  lan: `hosts/${host}/lans/${lan}`,
});
const joint = (name: string, a: string, b: string) => ({ name, a, b });
const cable = joint("links/l1", "hosts/a/lans/l", "hosts/b/lans/l");

test.each([
  ["one NIC", [nic("a", "x", "l")], [], 0],
  ["two MACs in one lan", [nic("a", "x", "l"), nic("a", "y", "l", "02:00:00:00:00:02")], [], 0],
  ["one MAC twice in one lan", [nic("a", "x", "l"), nic("a", "y", "l")], [], 1],
  ["one MAC in two lans", [nic("a", "x", "l"), nic("a", "y", "m")], [], 0],
  ["one MAC in two lans of the same name on two hosts", [nic("a", "x", "l"), nic("b", "y", "l")], [], 0],
  ["one MAC in two lans with a link between", [nic("a", "x", "l"), nic("b", "y", "l")], [cable], 1],
  [
    "one MAC at the ends of a way of links and boxes",
    [nic("a", "x", "l"), nic("c", "y", "n")],
    [
      joint("hosts/b/a2bs/x", "hosts/b/lans/l", "hosts/b/lans/m"),
      joint("links/l2", "hosts/c/lans/n", "hosts/b/lans/m"),
      cable,
    ],
    1,
  ],
  [
    "one MAC in two domains, twice in each",
    [nic("a", "x", "l"), nic("b", "y", "l"), nic("c", "x", "l"), nic("c", "y", "l")],
    [cable],
    2,
  ],
])("finds %s", (_what, nics, joints, count) => {
  expect(findDuplicates(nics, joints)).toHaveLength(count);
  expect(findDuplicates(nics.toReversed(), joints.toReversed())).toHaveLength(count);
});

test("names the NICs, their lans and the links between", () => {
  expect(
    findDuplicates(
      [nic("b", "y", "l"), nic("a", "x", "l")],
      [cable, joint("links/l9", "hosts/c/lans/l", "hosts/d/lans/l")],
    ),
  ).toEqual([
    {
      mac: "02:00:00:00:00:01",
      nics: ["hosts/a/instances/x/nics/eth0", "hosts/b/instances/y/nics/eth0"],
      lans: ["hosts/a/lans/l", "hosts/b/lans/l"],
      joints: ["links/l1"],
    },
  ]);
});
