import { describe, expect, it } from "vitest";
import { checkPhy, wayOf } from "../../../../../agent/kinds/phy/phy-spec.js";
import { allowedPhysSchema, phyRefusal } from "../../../../../agent/network/phys/phy-policy.js";
import { toDuration } from "../../../../../lib/duration.js";
import { PhyMode, PhySpec } from "../../../../../proto/gen/zor/v1/phy.js";

type Wanted = Parameters<typeof PhySpec.fromPartial>[0];
const faultsOf = (spec: Wanted) =>
  checkPhy(PhySpec.fromPartial(spec), undefined).violations.map(({ field, description }) => `${field}: ${description}`);
const { PHY_MODE_MACVLAN: macvlan, PHY_MODE_VLAN: vlan } = PhyMode;

describe("the specification of a phy", () => {
  it("needs no more than a name of an interface, which is absorbed then", () => {
    expect(faultsOf({ device: "eth1" })).toEqual([]);
    expect(wayOf(checkPhy(PhySpec.fromPartial({ device: "eth1" }), undefined).spec)).toBe("absorb");
    expect(faultsOf({ device: "eth1", lan: "lan1", force: true, confirmWithin: toDuration(30_000) })).toEqual([]);
    expect(faultsOf({ device: "eth1", mode: vlan, vlanId: 4094 })).toEqual([]);
    expect(faultsOf({ device: "eth1", mode: macvlan, mac: "02:00:00:00:00:01" })).toEqual([]);
  });

  it.each<[string, Wanted, RegExp]>([
    ["no name", {}, /^phy\.spec\.device: /],
    ["a name like an option", { device: "-x" }, /^phy\.spec\.device: /],
    ["the loopback's name", { device: "lo" }, /^phy\.spec\.device: /],
    ["a lan that is no id", { device: "eth1", lan: "../x" }, /^phy\.spec\.lan: /],
    ["a mode that is none", { device: "eth1", mode: 9 as PhyMode }, /^phy\.spec\.mode: /],
    ["mode vlan without a VLAN", { device: "eth1", mode: vlan }, /^phy\.spec\.vlan_id: /],
    ["a VLAN that is none", { device: "eth1", mode: vlan, vlanId: 4095 }, /^phy\.spec\.vlan_id: /],
    ["a VLAN without its mode", { device: "eth1", vlanId: 10 }, /^phy\.spec\.vlan_id: /],
    ["a MAC address without its mode", { device: "eth1", mac: "02:00:00:00:00:01" }, /^phy\.spec\.mac: /],
    ["a MAC address of many", { device: "eth1", mode: macvlan, mac: "03:00:00:00:00:01" }, /^phy\.spec\.mac: /],
    ["force without a time", { device: "eth1", force: true }, /^phy\.spec\.force: needs confirm_within/],
    ["no time at all", { device: "eth1", confirmWithin: toDuration(0) }, /^phy\.spec\.confirm_within: must be/],
    ["too long a time", { device: "eth1", confirmWithin: toDuration(3_600_001) }, /^phy\.spec\.confirm_within: must/],
    [
      "a time for what stands on it",
      { device: "eth1", mode: macvlan, confirmWithin: toDuration(30_000) },
      /absorb alone/,
    ],
    [
      "a tag that is none",
      { device: "eth1", portSettings: { vlan: { tag: 5000 } } },
      /^phy\.spec\.port_settings\.vlan/,
    ],
  ])("is not one with %s", (_, spec, why) => {
    expect(faultsOf(spec).join("; ")).toMatch(why);
  });

  it("keeps its interface, and how it is taken", () => {
    const { spec: before } = checkPhy(PhySpec.fromPartial({ device: "eth1" }), undefined);
    expect(checkPhy({ ...before, device: "", mode: 0, lan: "lan2" }, before)).toMatchObject({
      spec: { device: "eth1", mode: PhyMode.PHY_MODE_ABSORB },
      violations: [],
    });
    const changed = { ...before, device: "eth2", force: true, confirmWithin: toDuration(30_000) };
    expect(checkPhy(changed, before).violations.map(({ field }) => field)).toEqual([
      "phy.spec.device",
      "phy.spec.force",
      "phy.spec.confirm_within",
    ]);
  });
});

describe("which interfaces may be taken", () => {
  const allowed = [{ device: "eth1" }, { device: "enp3s*", modes: ["vlan"] }].map((entry) =>
    allowedPhysSchema.parse(entry),
  );
  it.each([
    ["eth1", "absorb", undefined],
    ["eth10", "absorb", "take eth10"],
    ["enp3s0f1", "vlan", undefined],
    ["enp3s0f1", "absorb", "take enp3s0f1 with mode absorb"],
    ["eth0", "macvlan", "take eth0"],
  ] as const)("%s with mode %s", (device, mode, refusal) => {
    expect(phyRefusal(allowed, { device, mode })).toBe(refusal);
  });

  it("is none unless the settings say so, and no pattern in the middle", () => {
    expect(phyRefusal([], { device: "eth1", mode: "absorb" })).toBe("take eth1");
    expect(allowedPhysSchema.safeParse({ device: "*eth" }).success).toBe(false);
    expect(allowedPhysSchema.safeParse({ device: "eth1", modes: [] }).success).toBe(false);
  });
});
