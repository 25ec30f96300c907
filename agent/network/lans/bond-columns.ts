import { BondLacp, BondMode, type PortBond } from "../../../proto/gen/zor/v1/port.js";
import { type OvsdbRow, toSetValue } from "../ovs/ovsdb-values.js";

/** The bond that a port is to be in. */
export interface PlugBond {
  /** Name of the switch's port that all its members are. */
  readonly port: string;
  /** The device that is preferred; "": none. */
  readonly primary: string;
}

const modes: Readonly<Record<number, string>> = {
  [BondMode.BOND_MODE_ACTIVE_BACKUP]: "active-backup",
  [BondMode.BOND_MODE_BALANCE_SLB]: "balance-slb",
  [BondMode.BOND_MODE_BALANCE_TCP]: "balance-tcp",
};
const lacps: Readonly<Record<number, string>> = {
  [BondLacp.BOND_LACP_ACTIVE]: "active",
  [BondLacp.BOND_LACP_PASSIVE]: "passive",
};

const none = toSetValue([]);
/** Keys of a Port's other_config that are a bond's. */
export const bondKeys = ["lacp-time", "lacp-fallback-ab", "bond-primary"] as const;

/** Columns of a Port (ovs-vswitchd.conf.db) that its bond is; those of none are as they are made; pure. */
export function bondColumns(bond: PortBond | undefined): OvsdbRow {
  return {
    bond_mode: modes[bond?.mode ?? 0] ?? none,
    lacp: lacps[bond?.lacp ?? 0] ?? none,
    bond_updelay: bond?.upDelayMs ?? 0,
    bond_downdelay: bond?.downDelayMs ?? 0,
  };
}

/** The keys of other_config; pure. @param primary device that is preferred; "": none. */
export function bondConfig(bond: PortBond | undefined, primary: string): Readonly<Record<string, string>> {
  if (bond === undefined) return {};
  return {
    ...(bond.lacpFast ? { "lacp-time": "fast" } : {}),
    ...(bond.lacpFallback ? { "lacp-fallback-ab": "true" } : {}),
    ...(primary === "" ? {} : { "bond-primary": primary }),
  };
}
