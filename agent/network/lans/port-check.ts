import type { FieldViolation } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { checkFilter } from "../filters/check-filter.js";
import { PortSettings, type PortVlan, QinqEthertype, VlanMode } from "../../../proto/gen/zor/v1/port.js";
import { checkGuard, settleGuard } from "./address-guard.js";
import { checkBond, settleBond } from "./bond-check.js";
import { checkRate, settleRate } from "./port-rate.js";
import { checkStorm, settleStorm } from "./storm.js";

const tagRange = { min: 1, max: 4094 } as const;
const maxTrunk = 4095;
const maxSources = 8;
const mostMacs = 1024;

/** The settings of a port with their defaults; undefined: they say nothing; pure. */
export function settlePort(settings: PortSettings | undefined): PortSettings | undefined {
  if (settings === undefined) return undefined;
  const vlan = settings.vlan === undefined ? undefined : settleVlan(settings.vlan);
  const whole = PortSettings.fromPartial({
    ...settings,
    vlan: isPlain(vlan) ? undefined : vlan,
    rateIn: settleRate(settings.rateIn),
    rateOut: settleRate(settings.rateOut),
    stormControl: settleStorm(settings.stormControl),
    addressGuard: settleGuard(settings.addressGuard),
    bond: settleBond(settings.bond),
  });
  return PortSettings.encode(whole).finish().length === 0 ? undefined : whole;
}

function settleVlan(vlan: PortVlan): PortVlan {
  const { mode, tag } = vlan;
  const usual = tag === 0 ? VlanMode.VLAN_MODE_TRUNK : VlanMode.VLAN_MODE_ACCESS;
  const trunks = [...new Set(vlan.trunks)].sort((a, b) => a - b);
  return { ...vlan, mode: mode === VlanMode.VLAN_MODE_UNSPECIFIED ? usual : mode, trunks };
}

/** A trunk of all VLANs is what a port is without settings. */
function isPlain(vlan: PortVlan | undefined): boolean {
  if (vlan === undefined) return true;
  const { mode, tag, trunks, qinqEthertype } = vlan;
  const isDefault = qinqEthertype === QinqEthertype.QINQ_ETHERTYPE_UNSPECIFIED && tag === 0;
  return mode === VlanMode.VLAN_MODE_TRUNK && trunks.length === 0 && isDefault;
}

/** What is wrong with settings of a port that {@link settlePort} has settled; pure. @param field proto path of the settings. */
export function checkPort(field: string, settings: PortSettings | undefined): FieldViolation[] {
  if (settings === undefined) return [];
  const { vlan, rateIn, rateOut, stormControl, addressGuard, filter, maxMacs } = settings;
  return [
    ...(vlan === undefined ? [] : checkVlan(`${field}.vlan`, vlan)),
    ...checkMirrors(field, settings),
    ...checkRate(`${field}.rate_in`, rateIn),
    ...checkRate(`${field}.rate_out`, rateOut),
    ...checkStorm(`${field}.storm_control`, stormControl),
    ...checkGuard(`${field}.address_guard`, addressGuard),
    ...(maxMacs >= 0 && maxMacs <= mostMacs
      ? []
      : [{ field: `${field}.max_macs`, description: `${maxMacs} is not between 0 and ${mostMacs}` }]),
    ...checkBond(field, settings),
    ...(filter === undefined ? [] : checkFilter(`${field}.filter`, filter)),
  ];
}

/** That an endpoint which is no NIC has no filter, and no bond; pure. */
export function checkUnfiltered(field: string, settings: PortSettings | undefined): FieldViolation[] {
  const only = "is for NICs of instances only";
  return [
    ...(settings?.filter === undefined
      ? []
      : [{ field: `${field}.filter`, description: `${only}; filter at those it speaks to` }]),
    ...(settings?.bond === undefined ? [] : [{ field: `${field}.bond`, description: only }]),
  ];
}

function checkVlan(field: string, { mode, tag, trunks, qinqEthertype }: PortVlan): FieldViolation[] {
  const of = (name: string, description: string): FieldViolation => ({ field: `${field}.${name}`, description });
  const isTrunk = mode === VlanMode.VLAN_MODE_TRUNK;
  const isQinq = mode === VlanMode.VLAN_MODE_QINQ;
  const hasTag = tag >= tagRange.min && tag <= tagRange.max;
  const stranger = trunks.find((one) => one < 0 || one > maxTrunk);
  return [
    ...(VlanMode[mode] === undefined || mode < 0 ? [of("mode", `${mode} is no mode of VLANs`)] : []),
    ...(isTrunk && tag !== 0
      ? [of("tag", "is not for a trunk; a trunk with a VLAN of its own is of a native mode")]
      : []),
    ...(isTrunk || hasTag ? [] : [of("tag", `${tag} is not a VLAN between ${tagRange.min} and ${tagRange.max}`)]),
    ...(stranger === undefined ? [] : [of("trunks", `${stranger} is not between 0 and ${maxTrunk}`)]),
    ...(mode === VlanMode.VLAN_MODE_ACCESS && trunks.length > 0
      ? [of("trunks", "is not for an access port, which is in one VLAN")]
      : []),
    ...(!isQinq && qinqEthertype !== QinqEthertype.QINQ_ETHERTYPE_UNSPECIFIED
      ? [of("qinq_ethertype", "is for mode QinQ only")]
      : []),
    ...(QinqEthertype[qinqEthertype] === undefined || qinqEthertype < 0
      ? [of("qinq_ethertype", `${qinqEthertype} is no ethertype of outer tags`)]
      : []),
  ];
}

function checkMirrors(field: string, { mirrorFrom, mirrorTo }: PortSettings): FieldViolation[] {
  const names = (name: string, values: readonly string[], max: number): FieldViolation[] => {
    const bad = values.find((value) => !isId(value));
    const twice = values.find((value, index) => values.indexOf(value) !== index);
    const description =
      values.length > max
        ? `${values.length} are more than ${max}`
        : bad !== undefined
          ? `${quote(bad)} is not a name of a mirror such as "span1"`
          : twice !== undefined
            ? `${quote(twice)} is there twice`
            : "";
    return description === "" ? [] : [{ field: `${field}.${name}`, description }];
  };
  const both = mirrorTo.find((name) => mirrorFrom.includes(name));
  return [
    ...names("mirror_from", mirrorFrom, maxSources),
    ...names("mirror_to", mirrorTo, 1),
    ...(both === undefined
      ? []
      : [{ field: `${field}.mirror_to`, description: `the port cannot be source and end of mirror ${quote(both)}` }]),
  ];
}
