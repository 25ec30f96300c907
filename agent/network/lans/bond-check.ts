import type { FieldViolation } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import type { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { BondLacp, BondMode, type PortBond, PortSettings } from "../../../proto/gen/zor/v1/port.js";

const maxDelayMs = 60_000;

/** A bond with its defaults; undefined: there is none; pure. */
export function settleBond(bond: PortBond | undefined): PortBond | undefined {
  if (bond === undefined) return undefined;
  return { ...bond, mode: bond.mode === BondMode.BOND_MODE_UNSPECIFIED ? BondMode.BOND_MODE_ACTIVE_BACKUP : bond.mode };
}

/** What is wrong with a port's bond, by itself; pure. @param field proto path of the settings. */
export function checkBond(field: string, { bond, mirrorTo }: PortSettings): FieldViolation[] {
  if (bond === undefined) return [];
  const of = (name: string, description: string): FieldViolation => ({ field: `${field}.bond.${name}`, description });
  const { name, mode, lacp, lacpFast, lacpFallback, primary } = bond;
  const speaks = lacp !== BondLacp.BOND_LACP_UNSPECIFIED;
  const delays = { up_delay_ms: bond.upDelayMs, down_delay_ms: bond.downDelayMs };
  return [
    ...(isId(name) ? [] : [of("name", `${quote(name)} is not a name of a bond such as "bond0"`)]),
    ...(BondMode[mode] === undefined || mode < 0 ? [of("mode", `${mode} is no mode of bonds`)] : []),
    ...(BondLacp[lacp] === undefined || lacp < 0 ? [of("lacp", `${lacp} is no way of LACP`)] : []),
    ...(mode === BondMode.BOND_MODE_BALANCE_TCP && !speaks
      ? [of("mode", "balance-tcp needs LACP: set lacp, or choose another mode")]
      : []),
    ...(lacpFast && !speaks ? [of("lacp_fast", "needs lacp")] : []),
    ...(lacpFallback && !speaks ? [of("lacp_fallback", "needs lacp")] : []),
    ...Object.entries(delays).flatMap(([path, value]) =>
      value >= 0 && value <= maxDelayMs ? [] : [of(path, `${value} is not between 0 and ${maxDelayMs} ms`)],
    ),
    ...(primary !== "" && mode !== BondMode.BOND_MODE_ACTIVE_BACKUP
      ? [of("primary", "is for mode active-backup only")]
      : []),
    ...(mirrorTo.length === 0
      ? []
      : [{ field: `${field}.mirror_to`, description: "a bond cannot be the end of a mirror" }]),
  ];
}

/** That interfaces in one bond say the same, and have the one that they prefer; pure. @param field proto path of the interfaces. */
export function checkBonds(field: string, nics: readonly Nic[]): FieldViolation[] {
  return nics.flatMap((nic, index) => {
    const { bond } = nic.portSettings ?? {};
    if (bond === undefined) return [];
    const members = bondMembers(nics, bond.name);
    const [first] = members;
    const path = `${field}[${index}].port_settings`;
    const hasPrimary = bond.primary === "" || members.some(({ name }) => name === bond.primary);
    const missing = `${quote(bond.primary)} is no interface of bond ${bond.name}`;
    const other = first === undefined ? undefined : differing(first.portSettings, nic.portSettings);
    const same = `is not as that of ${first?.name ?? ""}, which is in bond ${bond.name} too; say the same of both`;
    return [
      ...(hasPrimary ? [] : [{ field: `${path}.bond.primary`, description: missing }]),
      ...(other === undefined ? [] : [{ field: `${path}.${other}`, description: same }]),
    ];
  });
}

/** The interfaces of an instance that are in a bond; pure. */
export function bondMembers(nics: readonly Nic[], name: string): readonly Nic[] {
  return nics.filter(({ portSettings }) => portSettings?.bond?.name === name);
}

/** The first field in which two settings differ; undefined: none. */
function differing(one: PortSettings | undefined, other: PortSettings | undefined): string | undefined {
  const [left, right] = [one, other].map((each) => PortSettings.toJSON(each ?? PortSettings.create()) as object);
  const fields = new Map(Object.entries(left ?? {}));
  for (const [key, value] of Object.entries(right ?? {})) {
    if (JSON.stringify(fields.get(key)) !== JSON.stringify(value)) return snake(key);
    fields.delete(key);
  }
  const [rest] = fields.keys();
  return rest === undefined ? undefined : snake(rest);
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
