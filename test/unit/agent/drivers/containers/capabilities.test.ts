import { describe, expect, it } from "vitest";
import {
  beyondDefault,
  capabilitiesInMask,
  checkCapabilities,
  defaultCapabilities,
  effectiveCapabilities,
} from "../../../../../agent/drivers/containers/capabilities.js";
import { grantCapabilities } from "../../../../../agent/drivers/containers/privileges.js";
import { checkSysctls } from "../../../../../agent/drivers/containers/sysctl-check.js";

describe("the capabilities of a container", () => {
  it.each([
    ["the default ones", undefined, defaultCapabilities],
    [
      "fewer",
      { add: [], drop: ["cap_net_admin", "NET_RAW"] },
      defaultCapabilities.filter((name) => !/^NET_(ADMIN|RAW)$/.test(name)),
    ],
    ["none", { add: [], drop: ["ALL"] }, []],
    ["just one", { add: ["Cap_Chown"], drop: ["all"] }, ["CHOWN"]],
    ["one more, named twice", { add: ["SYS_ADMIN", "CAP_SYS_ADMIN"], drop: [] }, [...defaultCapabilities, "SYS_ADMIN"]],
  ])("are %s", (_what, wanted, expected) => {
    expect(effectiveCapabilities(wanted)).toEqual([...expected].sort());
  });

  it("are beyond the default ones only where they are added", () => {
    expect(beyondDefault({ add: ["CHOWN", "SYS_TIME"], drop: ["KILL"] })).toEqual(["SYS_TIME"]);
    expect(beyondDefault(undefined)).toEqual([]);
  });

  it.each([
    [{ add: ["ALL"], drop: [] }, "f.add[0]"],
    [{ add: ["SYS_ADMIN", "ROOT"], drop: [] }, "f.add[1]"],
    [{ add: [], drop: ["x\ny"] }, "f.drop[0]"],
    [{ add: [], drop: ["__proto__"] }, "f.drop[0]"],
    [{ add: ["net_raw"], drop: ["CAP_NET_RAW"] }, "f.add[0]"],
    [{ add: Array.from({ length: 65 }, () => "CHOWN"), drop: [] }, "f.add"],
  ])("are refused when they are %j", (wanted, field) => {
    expect(checkCapabilities("f", wanted).map((violation) => violation.field)).toEqual([field]);
  });

  it("are those of the bits of a mask", () => {
    expect(capabilitiesInMask(0x1_0020_0001n)).toEqual(["CHOWN", "SYS_ADMIN", "MAC_OVERRIDE"]);
  });

  const agentLimits = {
    openFiles: 1,
    processes: 1,
    oomScoreAdjustment: 0,
    capabilities: ["CHOWN", "SYS_ADMIN"],
  } as const;
  it("are granted as far as policy and agent go", () => {
    const wanted = { add: ["SYS_ADMIN"], drop: [] };
    expect(grantCapabilities(wanted, { allowed: ["SYS_ADMIN"], agentLimits })).toEqual(["CHOWN", "SYS_ADMIN"]);
    expect(() => grantCapabilities(wanted, { allowed: [], agentLimits })).toThrow(/policy.*SYS_ADMIN/);
    const lacking = { add: ["SYS_RESOURCE"], drop: [] };
    expect(() => grantCapabilities(lacking, { allowed: ["SYS_RESOURCE"], agentLimits })).toThrow(/agent itself/);
  });
});

describe("the sysctls of a container", () => {
  it("are those of its net namespace", () => {
    const values = {
      "net.ipv4.ip_forward": "1",
      "net.ipv4.conf.eth0.rp_filter": "0",
      "net.ipv4.tcp_rmem": "4096\t8192 16384",
    };
    expect(checkSysctls("f", values)).toEqual([]);
  });

  it.each([
    ["kernel.core_pattern", "|/bin/sh", "f"],
    ["net", "1", "f"],
    ["net..ipv4", "1", "f"],
    ["net.ipv4/../../kernel/core_pattern", "1", "f"],
    ["net.ipv4. ip_forward", "1", "f"],
    ["net.ipv4.ip_forward\n", "1", "f"],
    [`net.${"a".repeat(200)}`, "1", "f"],
    ["net.ipv4.ip_forward", "", 'f["net.ipv4.ip_forward"]'],
    ["net.ipv4.ip_forward", "1\n", 'f["net.ipv4.ip_forward"]'],
    ["net.ipv4.ip_forward", "1\0", 'f["net.ipv4.ip_forward"]'],
    ["net.ipv4.ip_forward", "x".repeat(257), 'f["net.ipv4.ip_forward"]'],
  ])("are refused as %j = %j", (name, value, field) => {
    expect(checkSysctls("f", { [name]: value }).map((violation) => violation.field)).toEqual([field]);
  });
});
