import { type Lan, type MulticastSnooping, type PortRstp, RstpRole, RstpState } from "../../../proto/gen/zor/v1/lan.js";

/** How a lan stands in the spanning tree: "root", "root 8.000.020000000001, cost 2000", "off". */
export function rstpText({ spec, status }: Lan): string {
  if (spec?.rstp !== true) return "off";
  const { rstp } = status ?? {};
  if (rstp === undefined) return "on";
  return rstp.isRoot ? `root (${rstp.bridgeId})` : `${rstp.bridgeId}, root ${rstp.rootId}, cost ${rstp.rootPathCost}`;
}

const roles: Readonly<Partial<Record<RstpRole, string>>> = {
  [RstpRole.RSTP_ROLE_ROOT]: "root",
  [RstpRole.RSTP_ROLE_DESIGNATED]: "designated",
  [RstpRole.RSTP_ROLE_ALTERNATE]: "alternate",
  [RstpRole.RSTP_ROLE_BACKUP]: "backup",
  [RstpRole.RSTP_ROLE_DISABLED]: "disabled",
};
const states: Readonly<Partial<Record<RstpState, string>>> = {
  [RstpState.RSTP_STATE_DISCARDING]: "discarding",
  [RstpState.RSTP_STATE_LEARNING]: "learning",
  [RstpState.RSTP_STATE_FORWARDING]: "forwarding",
};

/** "designated, forwarding"; empty: the lan runs no RSTP. */
export function portRstpText(rstp: PortRstp | undefined): string {
  return rstp === undefined ? "" : `${roles[rstp.role] ?? "?"}, ${states[rstp.state] ?? "?"}`;
}

/** What is done to multicasts. */
export function snoopingText({ dropUnregistered }: MulticastSnooping): string {
  return `snooped; what nobody asked for goes to ${dropUnregistered ? "nobody" : "everybody"}`;
}
