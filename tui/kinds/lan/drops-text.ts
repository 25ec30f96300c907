import type { BondMember, LanPort } from "../../../proto/gen/zor/v1/lan.js";

/** What the settings of a port had dropped, by why; "": nothing. */
export function dropsText(port: LanPort): string {
  const causes = [
    ["rate", port.rateDroppedFrames],
    ["storm control", port.stormDroppedFrames],
    ["address guard", port.guardDroppedFrames],
    ["too many MACs", port.maxMacsDroppedFrames],
  ] as const;
  const told = causes.flatMap(([cause, frames]) => (frames === 0n ? [] : [`${cause} ${frames}`]));
  return told.length === 0 ? "" : `dropped by ${told.join(", ")}`;
}

/** How an interface stands in its bond: "bond bond0: active, LACP current attached, partner 02:00:00:00:00:01". */
export function memberText({ name, enabled, active, lacpStatus, lacpAttached, lacpPartner }: BondMember): string {
  const lacp = lacpStatus === "" ? "" : `, LACP ${lacpStatus}${lacpAttached ? " attached" : ""}`;
  const state = active ? "active" : enabled ? "ready" : "out";
  return `bond ${name}: ${state}${lacp}${lacpPartner === "" ? "" : `, partner ${lacpPartner}`}`;
}
