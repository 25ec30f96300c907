import { expect, test } from "vitest";
import { PortSettings, QinqEthertype, VlanMode } from "../../../../../proto/gen/zor/v1/port.js";
import { portText } from "../../../../../tui/kit/port-text.js";
import { parseNic, parsePort } from "../../../../../tui/kinds/instance/nic-flag.js";

test.each([
  ["eth0,vlan=10", { vlan: { mode: VlanMode.VLAN_MODE_ACCESS, tag: 10 } }, "vlan 10"],
  [
    "eth0,trunk=10-12,trunk=20",
    { vlan: { mode: VlanMode.VLAN_MODE_TRUNK, trunks: [10, 11, 12, 20] } },
    "trunk of 10-12 20",
  ],
  [
    "eth0,native=5,trunk=7",
    { vlan: { mode: VlanMode.VLAN_MODE_NATIVE_UNTAGGED, tag: 5, trunks: [7] } },
    "trunk of 7, native 5",
  ],
  ["eth0,native-tagged=5", { vlan: { mode: VlanMode.VLAN_MODE_NATIVE_TAGGED, tag: 5 } }, "trunk, native 5 tagged"],
  [
    "eth0,qinq=100,qinq-type=802.1q",
    { vlan: { mode: VlanMode.VLAN_MODE_QINQ, tag: 100, qinqEthertype: QinqEthertype.QINQ_ETHERTYPE_8021Q } },
    "QinQ 100",
  ],
  ["eth0,mirror-from=a,mirror-from=b", { mirrorFrom: ["a", "b"] }, "mirrored to a, mirrored to b"],
  [
    "eth0,mirror-to=a,vlan=3",
    { vlan: { mode: VlanMode.VLAN_MODE_ACCESS, tag: 3 }, mirrorTo: ["a"] },
    "vlan 3, end of mirror a",
  ],
  ["eth0,rate-out=10mbit", { rateOut: { rateBps: 10_000_000n } }, "out 10Mb/s"],
  [
    "eth0,rate-out=1.5gbit/256k",
    { rateOut: { rateBps: 1_500_000_000n, burstBytes: 262_144n } },
    "out 1.5Gb/s burst 256K",
  ],
  [
    "eth0,bond=b0,bond-primary=eth1",
    { bond: { name: "b0", mode: 1, primary: "eth1" } },
    "bond b0 active-backup, eth1 first",
  ],
  [
    "eth0,bond=b0,bond-mode=balance-tcp,bond-lacp=passive,bond-lacp-fast,bond-lacp-fallback,bond-up-delay=5",
    { bond: { name: "b0", mode: 3, lacp: 2, lacpFast: true, lacpFallback: true, upDelayMs: 5 } },
    "bond b0 balance-tcp, LACP passive fast",
  ],
  ["eth0,max-macs=2", { maxMacs: 2 }, "at most 2 MACs"],
  ["eth0,rate-in=64kbit", { rateIn: { rateBps: 64_000n } }, "in 64kb/s"],
  [
    "eth0,storm-broadcast=100,storm-unknown=5",
    { stormControl: { broadcastPerSecond: 100, unknownUnicastPerSecond: 5 } },
    "broadcasts 100/s, unknown 5/s",
  ],
  ["eth0,guard", { addressGuard: {} }, "guarded"],
  [
    "eth0,guard-mac=02:00:00:00:00:01,guard-addr=10.0.0.5,guard-addr=fd00::/64",
    { addressGuard: { macs: ["02:00:00:00:00:01"], addresses: ["10.0.0.5", "fd00::/64"] } },
    "guarded 02:00:00:00:00:01 10.0.0.5 fd00::/64",
  ],
] satisfies [string, Parameters<typeof PortSettings.fromPartial>[0], string][])("--port %s", (text, wanted, shown) => {
  const settings = PortSettings.fromPartial(wanted);
  expect(parsePort(text)).toEqual({ nic: "eth0", settings });
  expect(portText(settings)).toBe(shown);
});

test("a port without settings forwards frames, and --nic says settings too", () => {
  expect(parsePort("eth0")).toEqual({ nic: "eth0", settings: undefined });
  expect(portText(undefined)).toBe("");
  expect(parseNic("lan=lan1,vlan=10").portSettings?.vlan?.tag).toBe(10);
  expect(parseNic("lan=lan1").portSettings).toBeUndefined();
});

test.each([
  "eth0,vlan=0",
  "eth0,vlan=4095",
  "eth0,vlan=x",
  "eth0,trunk=4096",
  "eth0,trunk=20-10",
  "eth0,vlan=1,trunk=2",
  "eth0,vlan=1,native=2",
  "eth0,qinq-type=802.1q",
  "eth0,qinq=1,qinq-type=vlan",
  "eth0,speed=1",
  "eth0,rate-out=fast",
  "eth0,storm-broadcast=0",
  "eth0,guard=no",
  "eth0,rate-out=1mbit/2/3",
  "eth0,rate-out=1mbit/x",
])("refuses --port %s by name", (text) => {
  expect(() => parsePort(text)).toThrow(/--port/);
});
