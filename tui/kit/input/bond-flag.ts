import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { BondLacp, BondMode, type PortBond } from "../../../proto/gen/zor/v1/port.js";
import { parseWhole, singleField } from "./key-values.js";

/** The keys of a bond among those of a port. */
export const bondKeys = [
  ...["bond", "bond-mode", "bond-lacp", "bond-lacp-fast", "bond-lacp-fallback"],
  ...["bond-up-delay", "bond-down-delay", "bond-primary"],
] as const;

/** Says which, for help. */
export const bondHelp =
  "bond=NAME, bond-mode=active-backup|balance-slb|balance-tcp, bond-lacp=active|passive, bond-lacp-fast, bond-lacp-fallback, bond-up-delay=MS, bond-down-delay=MS, bond-primary=NIC";

const modes: Readonly<Record<string, BondMode>> = {
  "active-backup": BondMode.BOND_MODE_ACTIVE_BACKUP,
  "balance-slb": BondMode.BOND_MODE_BALANCE_SLB,
  "balance-tcp": BondMode.BOND_MODE_BALANCE_TCP,
};
const lacps: Readonly<Record<string, BondLacp>> = {
  off: BondLacp.BOND_LACP_UNSPECIFIED,
  active: BondLacp.BOND_LACP_ACTIVE,
  passive: BondLacp.BOND_LACP_PASSIVE,
};

/** Reads a bond; undefined: nothing is said of one. @param option such as "--nic". @throws {ZorError} */
export function readBond(option: string, fields: Map<string, string[]>): PortBond | undefined {
  const name = singleField(option, fields, "bond");
  if (name === undefined) {
    const stray = bondKeys.find((key) => fields.has(key));
    if (stray !== undefined) throw invalidArgument(option, `${stray} goes with bond=NAME`);
    return undefined;
  }
  const word = <Value>(key: string, words: Readonly<Record<string, Value>>, usual: Value): Value => {
    const text = singleField(option, fields, key);
    if (text === undefined) return usual;
    const value = Object.hasOwn(words, text) ? words[text] : undefined;
    if (value !== undefined) return value;
    throw invalidArgument(option, `${key} ${quote(text)} is none of ${Object.keys(words).join(", ")}`);
  };
  const is = (key: string): boolean => {
    const text = singleField(option, fields, key);
    if (text !== undefined && text !== "true") throw invalidArgument(option, `${key} takes no value`);
    return text === "true";
  };
  const delay = (key: string): number =>
    parseWhole(`${option} ${key}`, singleField(option, fields, key) ?? "0", 0, 60_000);
  return {
    name,
    mode: word("bond-mode", modes, BondMode.BOND_MODE_ACTIVE_BACKUP),
    lacp: word("bond-lacp", lacps, BondLacp.BOND_LACP_UNSPECIFIED),
    lacpFast: is("bond-lacp-fast"),
    lacpFallback: is("bond-lacp-fallback"),
    upDelayMs: delay("bond-up-delay"),
    downDelayMs: delay("bond-down-delay"),
    primary: singleField(option, fields, "bond-primary") ?? "",
  };
}

/** A bond in a few words: "bond bond0 balance-tcp, LACP active"; "": none. */
export function bondText(bond: PortBond | undefined): string {
  if (bond === undefined) return "";
  const said = <Value>(words: Readonly<Record<string, Value>>, value: Value): string =>
    Object.keys(words).find((key) => words[key] === value) ?? "?";
  const { name, mode, lacp, lacpFast, primary } = bond;
  const speaks = lacp === BondLacp.BOND_LACP_UNSPECIFIED ? "" : `, LACP ${said(lacps, lacp)}${lacpFast ? " fast" : ""}`;
  return `bond ${name} ${said(modes, mode)}${speaks}${primary === "" ? "" : `, ${primary} first`}`;
}
