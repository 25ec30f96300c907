import { describe, expect, it } from "vitest";
import { checkTap } from "../../../../../agent/kinds/tap/tap-spec.js";
import { allowedTapsSchema, tapRefusal } from "../../../../../agent/network/taps/tap-policy.js";
import { TapSpec } from "../../../../../proto/gen/zor/v1/tap.js";

type Wanted = Parameters<typeof TapSpec.fromPartial>[0];
const faultsOf = (spec: Wanted) =>
  checkTap(TapSpec.fromPartial(spec), undefined).violations.map(({ field, description }) => `${field}: ${description}`);

describe("the specification of a tap", () => {
  it("needs no more than a name of an interface", () => {
    expect(faultsOf({ device: "lab0" })).toEqual([]);
    const whole = { lan: "lan1", netns: "probe", addresses: ["10.9.0.1/24", "fd12::1/64"], mac: "02:00:00:00:00:01" };
    expect(faultsOf({ device: "lab0", ...whole })).toEqual([]);
  });

  it.each<[string, Wanted, RegExp]>([
    ["no name", {}, /^tap\.spec\.device: /],
    ["a name like an option", { device: "-x" }, /^tap\.spec\.device: /],
    ["a name that is too long", { device: "a".repeat(16) }, /^tap\.spec\.device: /],
    ["the loopback's name", { device: "lo" }, /^tap\.spec\.device: /],
    ["a lan that is no id", { device: "lab0", lan: "../x" }, /^tap\.spec\.lan: /],
    ["a namespace that climbs", { device: "lab0", netns: "../x" }, /^tap\.spec\.netns: /],
    ["a namespace called as the host", { device: "lab0", netns: "host" }, /^tap\.spec\.netns: /],
    ["an address without prefix", { device: "lab0", addresses: ["10.9.0.1"] }, /^tap\.spec\.addresses\[0\]: /],
    ["the loopback's address", { device: "lab0", addresses: ["127.0.0.1/8"] }, /^tap\.spec\.addresses\[0\]: /],
    ["an address twice", { device: "lab0", addresses: ["10.9.0.1/24", "10.9.0.1/24"] }, /twice/],
    ["a MAC address of many", { device: "lab0", mac: "03:00:00:00:00:01" }, /^tap\.spec\.mac: /],
    [
      "a VLAN that is none",
      { device: "lab0", portSettings: { vlan: { tag: 5000 } } },
      /^tap\.spec\.port_settings\.vlan/,
    ],
  ])("is not one with %s", (_, spec, why) => {
    expect(faultsOf(spec).join("; ")).toMatch(why);
  });

  it("keeps its interface", () => {
    const { spec: before } = checkTap(TapSpec.fromPartial({ device: "lab0" }), undefined);
    expect(checkTap({ ...before, device: "" }, before).violations).toEqual([]);
    const moved = { ...before, device: "lab1", netns: "probe", mac: "02:00:00:00:00:01" };
    expect(checkTap(moved, before).violations.map(({ field }) => field)).toEqual([
      "tap.spec.device",
      "tap.spec.netns",
      "tap.spec.mac",
    ]);
  });
});

describe("where taps may be", () => {
  const allowed = [
    { netns: "host", addresses: ["10.9.0.0/16"] },
    { netns: "lab-*" },
    { netns: "probe", addresses: ["10.8.0.0/24", "fd12::/48"] },
  ].map((entry) => allowedTapsSchema.parse(entry));
  const refusal = (netns: string, ...addresses: readonly string[]) => tapRefusal(allowed, { netns, addresses });

  it("is where the settings say, with addresses that they say", () => {
    expect(refusal("")).toBeUndefined();
    expect(refusal("", "10.9.1.1/24")).toBeUndefined();
    expect(refusal("lab-1")).toBeUndefined();
    expect(refusal("probe", "10.8.0.1/24", "fd12::1/64")).toBeUndefined();
  });

  it("is nowhere else", () => {
    expect(tapRefusal([], { netns: "", addresses: [] })).toBe("in the host's own network");
    expect(refusal("other")).toBe("in net namespace other");
    expect(refusal("lab")).toBe("in net namespace lab");
    expect(refusal("", "10.8.0.1/24")).toBe("with the address 10.8.0.1/24");
    // A route to more than was allowed would come with it.
    expect(refusal("", "10.9.1.1/8")).toBe("with the address 10.9.1.1/8");
    expect(refusal("lab-1", "10.9.1.1/24")).toBe("with the address 10.9.1.1/24");
    const [own] = allowed;
    expect(tapRefusal(own === undefined ? [] : [own], { netns: "host", addresses: [] })).toBe("in net namespace host");
  });

  it.each([{ netns: "" }, { netns: "a/b" }, { netns: "x", addresses: ["10.9.0.1"] }, { netns: "*" }])(
    "is not said by %j",
    (entry) => {
      expect(allowedTapsSchema.safeParse(entry).success).toBe(false);
    },
  );
});
