import {
  type AddressGuard,
  type PortRate,
  type PortSettings,
  type PortVlan,
  type StormControl,
  VlanMode,
} from "../../proto/gen/zor/v1/port.js";
import { bondText } from "./input/bond-flag.js";
import { formatBits, formatBytes } from "./format.js";

/** A port's settings in a few words; "": it has none. */
export function portText(settings: PortSettings | undefined): string {
  if (settings === undefined) return "";
  const { vlan, mirrorFrom, mirrorTo, rateIn, rateOut, stormControl, addressGuard, filter, maxMacs, bond } = settings;
  return [
    bondText(bond),
    vlanText(vlan),
    ...mirrorFrom.map((name) => `mirrored to ${name}`),
    ...mirrorTo.map((name) => `end of mirror ${name}`),
    rateText("in", rateIn),
    rateText("out", rateOut),
    stormText(stormControl),
    guardText(addressGuard),
    maxMacs === 0 ? "" : `at most ${maxMacs} MACs`,
    filter === undefined ? "" : "filtered",
  ]
    .filter((text) => text !== "")
    .join(", ");
}

function rateText(way: string, rate: PortRate | undefined): string {
  if (rate === undefined) return "";
  const { rateBps, burstBytes } = rate;
  return `${way} ${formatBits(rateBps)}${burstBytes === 0n ? "" : ` burst ${formatBytes(burstBytes)}`}`;
}

function stormText(storm: StormControl | undefined): string {
  if (storm === undefined) return "";
  const limits = [
    ["broadcasts", storm.broadcastPerSecond],
    ["multicasts", storm.multicastPerSecond],
    ["unknown", storm.unknownUnicastPerSecond],
  ] as const;
  return limits.flatMap(([name, limit]) => (limit === 0 ? [] : [`${name} ${limit}/s`])).join(", ");
}

function guardText(guard: AddressGuard | undefined): string {
  return guard === undefined ? "" : ["guarded", ...guard.macs, ...guard.addresses].join(" ");
}

function vlanText(vlan: PortVlan | undefined): string {
  if (vlan === undefined) return "";
  const { mode, tag, trunks } = vlan;
  const of = trunks.length === 0 ? "" : ` of ${ranges(trunks)}`;
  if (mode === VlanMode.VLAN_MODE_ACCESS) return `vlan ${tag}`;
  if (mode === VlanMode.VLAN_MODE_TRUNK) return `trunk${of}`;
  if (mode === VlanMode.VLAN_MODE_QINQ) return `QinQ ${tag}${of}`;
  return `trunk${of}, native ${tag}${mode === VlanMode.VLAN_MODE_NATIVE_TAGGED ? " tagged" : ""}`;
}

function ranges(numbers: readonly number[]): string {
  const found: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && number <= last[1] + 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(" ");
}
