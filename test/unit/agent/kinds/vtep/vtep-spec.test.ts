import { describe, expect, it } from "vitest";
import { checkVtep } from "../../../../../agent/kinds/vtep/vtep-spec.js";
import { largestPacket } from "../../../../../agent/network/vteps/route-to.js";
import { allowedVtepsSchema, vtepRefusal } from "../../../../../agent/network/vteps/vtep-policy.js";
import { VtepSpec } from "../../../../../proto/gen/zor/v1/vtep.js";

type Wanted = Parameters<typeof VtepSpec.fromPartial>[0];
const good = { remote: "10.0.0.9", vni: 42 } as const;
const checked = (spec: Wanted) => checkVtep(VtepSpec.fromPartial(spec), undefined);
const faultsOf = (spec: Wanted) => checked(spec).violations.map(({ field, description }) => `${field}: ${description}`);

describe("the specification of a vtep", () => {
  it("needs no more than the other end and a VNI, and writes addresses as the kernel does", () => {
    expect(checked(good)).toMatchObject({ spec: { dstPort: 4789, local: "", lan: "" }, violations: [] });
    const six = checked({ ...good, remote: "FD00:0:0::9", local: "fd00:0::1", dstPort: 8472, lan: "lan1" });
    expect(six).toMatchObject({ spec: { remote: "fd00::9", local: "fd00::1", dstPort: 8472 }, violations: [] });
  });

  it.each<[string, Wanted, RegExp]>([
    ["no other end", { vni: 42 }, /^vtep\.spec\.remote: /],
    ["a name as the other end", { ...good, remote: "example" }, /^vtep\.spec\.remote: /],
    ["itself as the other end", { ...good, remote: "127.0.0.1" }, /^vtep\.spec\.remote: /],
    ["many as the other end", { ...good, remote: "239.1.1.1" }, /^vtep\.spec\.remote: /],
    ["an address of some link", { ...good, remote: "fe80::1" }, /^vtep\.spec\.remote: /],
    ["a zone", { ...good, remote: "fe80::1%eth0" }, /^vtep\.spec\.remote: /],
    ["IPv4 in IPv6", { ...good, remote: "::ffff:10.0.0.9" }, /^vtep\.spec\.remote: /],
    ["no VNI", { remote: "10.0.0.9" }, /^vtep\.spec\.vni: /],
    ["a VNI of more than 24 bits", { ...good, vni: 2 ** 24 }, /^vtep\.spec\.vni: /],
    ["a negative VNI", { ...good, vni: -1 }, /^vtep\.spec\.vni: /],
    ["a port that is none", { ...good, dstPort: 65_536 }, /^vtep\.spec\.dst_port: /],
    ["an own address of the other family", { ...good, local: "fd00::1" }, /^vtep\.spec\.local: /],
    ["an own address that is none", { ...good, local: "eth0" }, /^vtep\.spec\.local: /],
    ["a lan that is no id", { ...good, lan: "../x" }, /^vtep\.spec\.lan: /],
  ])("is not one with %s", (_, spec, why) => {
    expect(faultsOf(spec).join("; ")).toMatch(why);
  });

  it("keeps where it leads", () => {
    const { spec: before } = checked(good);
    expect(checkVtep({ ...before, remote: "", vni: 0, dstPort: 0 }, before)).toMatchObject({
      spec: before,
      violations: [],
    });
    const moved = { ...before, remote: "10.0.0.8", vni: 43, dstPort: 4790, local: "10.0.0.1" };
    expect(checkVtep(moved, before).violations.map(({ field }) => field)).toEqual([
      "vtep.spec.remote",
      "vtep.spec.vni",
      "vtep.spec.dst_port",
      "vtep.spec.local",
    ]);
  });
});

describe("where vteps may lead", () => {
  const allowed = [
    { remotes: ["10.0.0.0/24", "fd00::/64"], vnis: [42, "100-199"] },
    { remotes: ["192.0.2.7"], vnis: ["1-16777215"], ports: [8472] },
  ].map((entry) => allowedVtepsSchema.parse(entry));
  const refusal = (remote: string, vni: number, dstPort = 4789) => vtepRefusal(allowed, { remote, vni, dstPort });

  it("is where one entry of the settings says, with a VNI and a port of the same", () => {
    expect(refusal("10.0.0.9", 42)).toBeUndefined();
    expect(refusal("fd00::9", 150)).toBeUndefined();
    expect(refusal("192.0.2.7", 7, 8472)).toBeUndefined();
  });

  it("is nowhere else", () => {
    expect(vtepRefusal([], { remote: "10.0.0.9", vni: 42, dstPort: 4789 })).toBe("lead to 10.0.0.9");
    expect(refusal("10.0.1.9", 42)).toBe("lead to 10.0.1.9");
    expect(refusal("10.0.0.9", 43)).toBe("lead to 10.0.0.9 with VNI 43");
    expect(refusal("10.0.0.9", 42, 8472)).toBe("lead to port 8472 of 10.0.0.9");
    expect(refusal("192.0.2.7", 7)).toBe("lead to port 4789 of 192.0.2.7");
  });

  it.each([
    {},
    { remotes: [], vnis: [1] },
    { remotes: ["10.0.0.0/24"] },
    { remotes: ["10.0.0.0/33"], vnis: [1] },
    { remotes: ["example"], vnis: [1] },
    { remotes: ["10.0.0.9"], vnis: ["9-1"] },
    { remotes: ["10.0.0.9"], vnis: [0] },
    { remotes: ["10.0.0.9"], vnis: ["1-16777216"] },
    { remotes: ["10.0.0.9"], vnis: [1], ports: [0] },
  ])("is not said by %j", (entry) => {
    expect(allowedVtepsSchema.safeParse(entry).success).toBe(false);
  });
});

it("takes 50 bytes of a packet of IPv4, and 70 of one of IPv6", () => {
  expect(largestPacket(1500, "10.0.0.9")).toBe(1450);
  expect(largestPacket(1500, "fd00::9")).toBe(1430);
});
