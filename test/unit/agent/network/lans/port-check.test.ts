import { expect, test } from "vitest";
import { checkPort, settlePort } from "../../../../../agent/network/lans/port-check.js";
import { PortSettings, VlanMode } from "../../../../../proto/gen/zor/v1/port.js";

type Wanted = Parameters<typeof PortSettings.fromPartial>[0];
const settle = (wanted: Wanted) => settlePort(PortSettings.fromPartial(wanted));
const faults = (wanted: Wanted) => checkPort("nic.port_settings", settle(wanted)).map(({ field }) => field);

test("settings that say nothing are none, so that they are no change", () => {
  const nothing: Wanted[] = [
    {},
    { vlan: {} },
    { vlan: { mode: VlanMode.VLAN_MODE_TRUNK } },
    { rateOut: {}, rateIn: {}, stormControl: {} },
  ];
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
  ["a rate into the lan", { rateIn: { rateBps: -1n } }, ["rate_in.rate_bps"]],
  ["storms", { stormControl: { broadcastPerSecond: 1, multicastPerSecond: 10_000_000 } }, []],
  ["a storm below none", { stormControl: { broadcastPerSecond: -1 } }, ["storm_control.broadcast_per_second"]],
  ["a storm of all", { stormControl: { multicastPerSecond: 10_000_001 } }, ["storm_control.multicast_per_second"]],
  ["a limit of MACs", { maxMacs: 1024 }, []],
  ["a limit of more MACs than are counted", { maxMacs: 1025 }, ["max_macs"]],
  ["a limit of MACs below none", { maxMacs: -1 }, ["max_macs"]],
  ["a guard alone", { addressGuard: {} }, []],
  ["a guard's MAC of a group", { addressGuard: { macs: ["01:00:5e:00:00:01"] } }, ["address_guard.macs"]],
  ["a guard's MAC that is none", { addressGuard: { macs: ["a,actions=drop"] } }, ["address_guard.macs"]],
  ["a guard's addresses", { addressGuard: { addresses: ["10.0.0.0/33", "10.0.0.1"] } }, ["address_guard.addresses"]],
  ["an address with a zone", { addressGuard: { addresses: ["fe80::1%eth0"] } }, ["address_guard.addresses"]],
  ["a short address", { addressGuard: { addresses: ["10.1"] } }, ["address_guard.addresses"]],
  [
    "more addresses than a guard takes",
    { addressGuard: { addresses: Array.from({ length: 65 }, (_, index) => `10.0.0.${index}`) } },
    ["address_guard.addresses"],
  ],
])("of %s the fields are told that are wrong", (_, wanted, fields) => {
  expect(faults(wanted)).toEqual(fields.map((field) => `nic.port_settings.${field}`));
});

test("a guard keeps addresses as they are usually written, networks without bits of hosts, and each once", () => {
  const macs = ["02:00:00:00:00:AA", "02:00:00:00:00:aa"];
  const addresses = ["10.1.2.3/16", "10.1.0.0/16", "10.0.0.5/32", "FD00::00:1/128", "fd00::1", "fd00:1::5/64"];
  expect(settle({ addressGuard: { macs, addresses } })?.addressGuard).toEqual({
    macs: ["02:00:00:00:00:aa"],
    addresses: ["10.1.0.0/16", "10.0.0.5", "fd00::1", "fd00:1::/64"],
  });
});
