import { expect, test } from "vitest";
import { checkPort, settlePort } from "../../../../../agent/network/lans/port-check.js";
import { PortSettings, VlanMode } from "../../../../../proto/gen/zor/v1/port.js";

type Wanted = Parameters<typeof PortSettings.fromPartial>[0];
const settle = (wanted: Wanted) => settlePort(PortSettings.fromPartial(wanted));
const faults = (wanted: Wanted) => checkPort("nic.port_settings", settle(wanted)).map(({ field }) => field);

test("settings that say nothing are none, so that they are no change", () => {
  const nothing: Wanted[] = [{}, { vlan: {} }, { vlan: { mode: VlanMode.VLAN_MODE_TRUNK } }, { rateOut: {} }];
  expect(nothing.map(settle)).toEqual(nothing.map(() => undefined));
});

test("a tag alone means an access port, and trunks are kept in order and once", () => {
  expect(settle({ vlan: { tag: 10 } })?.vlan?.mode).toBe(VlanMode.VLAN_MODE_ACCESS);
  expect(settle({ vlan: { trunks: [30, 10, 30] } })?.vlan).toMatchObject({
    mode: VlanMode.VLAN_MODE_TRUNK,
    trunks: [10, 30],
  });
});

test.each<[string, Wanted, readonly string[]]>([
  ["an access port", { vlan: { tag: 4094 } }, []],
  ["a trunk with a native VLAN", { vlan: { mode: VlanMode.VLAN_MODE_NATIVE_TAGGED, tag: 5, trunks: [0, 4095] } }, []],
  ["a VLAN that there is not", { vlan: { tag: 4095 } }, ["vlan.tag"]],
  ["a native mode without its VLAN", { vlan: { mode: VlanMode.VLAN_MODE_NATIVE_UNTAGGED } }, ["vlan.tag"]],
  ["a trunk with a tag", { vlan: { mode: VlanMode.VLAN_MODE_TRUNK, tag: 3 } }, ["vlan.tag"]],
  ["an access port with trunks", { vlan: { tag: 3, trunks: [4] } }, ["vlan.trunks"]],
  ["a trunk of what is no VLAN", { vlan: { trunks: [-1] } }, ["vlan.trunks"]],
  ["a mode that there is not", { vlan: { mode: 77 as VlanMode, tag: 3 } }, ["vlan.mode"]],
  ["an ethertype without QinQ", { vlan: { tag: 3, qinqEthertype: 2 } }, ["vlan.qinq_ethertype"]],
  ["a mirror's name that is an option", { mirrorFrom: ["--db=x y"] }, ["mirror_from"]],
  ["two ends of mirrors", { mirrorTo: ["a", "b"] }, ["mirror_to"]],
  ["a mirror of its own end", { mirrorFrom: ["a"], mirrorTo: ["a"] }, ["mirror_to"]],
  ["a rate", { rateOut: { rateBps: 8000n, burstBytes: 131_072n } }, []],
  ["a rate that is none", { rateOut: { rateBps: 7999n } }, ["rate_out.rate_bps"]],
  ["a rate that nobody has", { rateOut: { rateBps: 100_000_000_001n } }, ["rate_out.rate_bps"]],
  ["a burst without its rate", { rateOut: { burstBytes: 131_072n } }, ["rate_out.rate_bps"]],
  ["a burst below a super-frame", { rateOut: { rateBps: 8000n, burstBytes: 65_536n } }, ["rate_out.burst_bytes"]],
  ["a burst that is negative", { rateOut: { rateBps: 8000n, burstBytes: -1n } }, ["rate_out.burst_bytes"]],
])("of %s the fields are told that are wrong", (_, wanted, fields) => {
  expect(faults(wanted)).toEqual(fields.map((field) => `nic.port_settings.${field}`));
});
