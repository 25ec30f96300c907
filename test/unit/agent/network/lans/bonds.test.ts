import { expect, test } from "vitest";
import { checkBonds } from "../../../../../agent/network/lans/bond-check.js";
import { checkPort, checkUnfiltered, settlePort } from "../../../../../agent/network/lans/port-check.js";
import { portChanges } from "../../../../../agent/network/lans/port-columns.js";
import { parseBonds } from "../../../../../agent/network/ovs/bond-view.js";
import { Nic } from "../../../../../proto/gen/zor/v1/instance.js";
import { BondLacp, BondMode, PortSettings } from "../../../../../proto/gen/zor/v1/port.js";

type Wanted = Parameters<typeof PortSettings.fromPartial>[0];
const settle = (wanted: Wanted) => settlePort(PortSettings.fromPartial(wanted));
const { BOND_MODE_BALANCE_TCP: tcp, BOND_MODE_BALANCE_SLB: slb } = BondMode;

test.each<[string, Wanted, readonly string[]]>([
  ["a bond by its name alone", { bond: { name: "bond0" } }, []],
  ["a bond without name", { bond: {} }, ["bond.name"]],
  ["a mode that there is not", { bond: { name: "b", mode: 9 as BondMode } }, ["bond.mode"]],
  ["balance-tcp without LACP", { bond: { name: "b", mode: tcp } }, ["bond.mode"]],
  ["balance-tcp", { bond: { name: "b", mode: tcp, lacp: BondLacp.BOND_LACP_PASSIVE, lacpFast: true } }, []],
  ["a way of LACP that there is not", { bond: { name: "b", lacp: 7 as BondLacp } }, ["bond.lacp"]],
  [
    "what goes with LACP",
    { bond: { name: "b", lacpFast: true, lacpFallback: true } },
    ["bond.lacp_fast", "bond.lacp_fallback"],
  ],
  ["delays", { bond: { name: "b", upDelayMs: -1, downDelayMs: 60_001 } }, ["bond.up_delay_ms", "bond.down_delay_ms"]],
  ["a primary of what is shared", { bond: { name: "b", mode: slb, primary: "eth0" } }, ["bond.primary"]],
  ["the end of a mirror", { bond: { name: "b" }, mirrorTo: ["span1"] }, ["mirror_to"]],
])("checks %s", (_, wanted, fields) => {
  expect(checkPort("p", settle(wanted)).map(({ field }) => field)).toEqual(fields.map((field) => `p.${field}`));
});

test("a bond is for NICs alone", () => {
  expect(checkUnfiltered("p", settle({ bond: { name: "b" } }))).toEqual([
    { field: "p.bond", description: "is for NICs of instances only" },
  ]);
});

test("members say the same, and have the one that they prefer", () => {
  const nics = (...all: Wanted[]) =>
    all.map((wanted, index) => Nic.fromPartial({ name: `eth${index}`, portSettings: settle(wanted) }));
  const bond = { name: "b", primary: "eth1" };
  expect(checkBonds("nics", nics({ bond }, { bond }))).toEqual([]);
  expect(checkBonds("nics", nics({ bond: { name: "b" } }, { bond: { name: "c", mode: slb } }))).toEqual([]);
  const fields = (...all: Wanted[]) => checkBonds("nics", nics(...all)).map(({ field }) => field);
  expect(fields({ bond }, { bond, vlan: { tag: 3 } })).toEqual(["nics[1].port_settings.vlan"]);
  expect(fields({ bond, maxMacs: 2 }, { bond })).toEqual(["nics[1].port_settings.max_macs"]);
  expect(fields({ bond }, { bond: { name: "b" } })).toEqual(["nics[1].port_settings.bond"]);
  expect(fields({ bond }, {})).toEqual(["nics[0].port_settings.bond.primary"]);
});

test("the columns of a port are its bond's, and are as they were without one", () => {
  const other_config = ["map", [["mine", "1"]]] as const;
  const empty = ["set", []] as const;
  const plain = { tag: empty, trunks: empty, cvlans: empty, vlan_mode: empty, external_ids: ["map", []] as const };
  const unbonded = { bond_mode: empty, lacp: empty, bond_updelay: 0, bond_downdelay: 0 };
  const row = { uuid: "u", columns: { ...plain, ...unbonded, other_config } };
  expect(portChanges(row, undefined)).toEqual({});
  const bond = { name: "b", lacp: BondLacp.BOND_LACP_ACTIVE, lacpFast: true, upDelayMs: 5 };
  const changes = portChanges(row, settle({ bond }), "zp1");
  expect(changes).toMatchObject({ bond_mode: "active-backup", lacp: "active", bond_updelay: 5 });
  expect(changes["other_config"]).toEqual([
    "map",
    [
      ["mine", "1"],
      ["lacp-time", "fast"],
      ["bond-primary", "zp1"],
    ],
  ]);
  const bonded = { uuid: "u", columns: { ...row.columns, ...changes } };
  expect(portChanges(bonded, settle({ bond }), "zp1")).toEqual({});
  expect(Object.keys(portChanges(bonded, undefined)).sort()).toEqual([
    ...["bond_mode", "bond_updelay", "lacp", "other_config"],
  ]);
});

test("reads how members stand in their bonds", () => {
  const bonds = `---- zb1 ----
bond_mode: active-backup
updelay: 0 ms
lacp_status: off
active-backup primary: zp1
active member mac: 02:00:00:00:00:01(zp1)

member zp1: enabled
  active member
  may_enable: true

member zp2: disabled
  may_enable: false
`;
  const lacp = `---- zb2 ----
  status: active negotiated
  sys_id: 02:00:00:00:00:09

member: zp3: current attached
  port_id: 1
  actor sys_id: 02:00:00:00:00:09
  partner sys_id: 02:00:00:00:00:0a

member: zp4: defaulted detached
  partner sys_id: 00:00:00:00:00:00
`;
  const none = { lacpStatus: "", lacpAttached: false, lacpPartner: "" };
  expect([...parseBonds(bonds, lacp)]).toEqual([
    ["zp1", { enabled: true, active: true, ...none }],
    ["zp2", { enabled: false, active: false, ...none }],
    [
      "zp3",
      { enabled: true, active: true, lacpStatus: "current", lacpAttached: true, lacpPartner: "02:00:00:00:00:0a" },
    ],
    ["zp4", { enabled: true, active: true, ...none, lacpStatus: "defaulted" }],
  ]);
});
