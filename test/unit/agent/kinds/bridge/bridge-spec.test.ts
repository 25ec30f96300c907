import { describe, expect, it } from "vitest";
import { checkBridge } from "../../../../../agent/kinds/bridge/bridge-spec.js";
import { guardRules } from "../../../../../agent/network/joins/announcement-guard.js";
import { allowedBridgeSchema, mayJoin } from "../../../../../agent/network/joins/join-policy.js";
import { BridgeSpec } from "../../../../../proto/gen/zor/v1/bridge.js";

type Wanted = Parameters<typeof BridgeSpec.fromPartial>[0];
const faultsOf = (spec: Wanted) =>
  checkBridge(BridgeSpec.fromPartial(spec), undefined).violations.map(
    ({ field, description }) => `${field}: ${description}`,
  );

describe("the specification of a bridge", () => {
  it("needs no more than the name of the host's bridge", () => {
    expect(faultsOf({ bridge: "br0" })).toEqual([]);
    expect(faultsOf({ bridge: "br0", lan: "lan1", dhcpOut: true, portSettings: { vlan: { tag: 10 } } })).toEqual([]);
  });

  it.each<[string, Wanted, RegExp]>([
    ["no bridge", {}, /^bridge\.spec\.bridge: /],
    ["a bridge like an option", { bridge: "-x" }, /^bridge\.spec\.bridge: /],
    ["a bridge that climbs", { bridge: "../x" }, /^bridge\.spec\.bridge: /],
    ["a name that is too long", { bridge: "b".repeat(16) }, /^bridge\.spec\.bridge: /],
    ["a lan that is no id", { bridge: "br0", lan: "../x" }, /^bridge\.spec\.lan: /],
    ["a VLAN that is none", { bridge: "br0", portSettings: { vlan: { tag: 5000 } } }, /^bridge\.spec\.port_settings/],
  ])("is not one with %s", (_, spec, why) => {
    expect(faultsOf(spec).join("; ")).toMatch(why);
  });

  it("keeps its bridge", () => {
    const { spec: before } = checkBridge(BridgeSpec.fromPartial({ bridge: "br0" }), undefined);
    expect(checkBridge({ ...before, bridge: "" }, before)).toMatchObject({ spec: before, violations: [] });
    const [fault] = checkBridge({ ...before, bridge: "br1" }, before).violations;
    expect(fault).toMatchObject({ field: "bridge.spec.bridge", description: expect.stringContaining('"br0"') });
  });
});

describe("which bridges lans may be joined with", () => {
  it("are those that the settings name", () => {
    const allowed = ["br0", "lab-*"].map((text) => allowedBridgeSchema.parse(text));
    expect(["br0", "lab-1", "lab-"].every((name) => mayJoin(allowed, name))).toBe(true);
    expect(["br", "br00", "lab", "docker0"].some((name) => mayJoin(allowed, name))).toBe(false);
    expect(mayJoin([], "br0")).toBe(false);
  });

  it.each(["", "*", "../x", "-x", "br0 ", "b".repeat(17)])("are not said by %j", (text) => {
    expect(allowedBridgeSchema.safeParse(text).success).toBe(false);
  });
});

describe("the rules that keep what DHCP servers say in a lan", () => {
  const rules = guardRules("zi0");

  it("stand at the port alone, and replace those before in one step", () => {
    expect(rules).toMatch(/^table netdev guard-zi0 \{\}\ndelete table netdev guard-zi0\ntable netdev guard-zi0 \{/);
    expect(rules).toContain('hook egress device "zi0"');
  });

  it("see them with and without tags", () => {
    expect(rules).toContain("    udp sport 67 drop\n    udp sport 547 drop\n    icmpv6 type nd-router-advert drop\n");
    // One 802.1Q tag: the inner type at byte 16, the protocol at 27, the port at 38.
    expect(rules).toContain("@ll,96,16 33024 @ll,128,16 2048 @ll,216,8 17 @ll,304,16 67 drop");
    // 802.1ad and 802.1Q: all of it four bytes further on.
    expect(rules).toContain("@ll,96,16 34984 @ll,128,16 33024 @ll,160,16 34525 @ll,224,8 58 @ll,496,8 134 drop");
  });
});
