import { type LanRstp, type PortRstp, RstpRole, RstpState } from "../../../proto/gen/zor/v1/lan.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import { readMap } from "../ovs/ovsdb-values.js";

const roles: Readonly<Record<string, RstpRole>> = {
  Root: RstpRole.RSTP_ROLE_ROOT,
  Designated: RstpRole.RSTP_ROLE_DESIGNATED,
  Alternate: RstpRole.RSTP_ROLE_ALTERNATE,
  Backup: RstpRole.RSTP_ROLE_BACKUP,
  Disabled: RstpRole.RSTP_ROLE_DISABLED,
};
const states: Readonly<Record<string, RstpState>> = {
  Disabled: RstpState.RSTP_STATE_DISCARDING,
  Discarding: RstpState.RSTP_STATE_DISCARDING,
  Learning: RstpState.RSTP_STATE_LEARNING,
  Forwarding: RstpState.RSTP_STATE_FORWARDING,
};

/** How a bridge stands in the spanning tree; undefined: it does not run RSTP, or has not said yet. */
export function bridgeTopology({ columns }: MirroredRow): LanRstp | undefined {
  const told = readMap(columns["rstp_status"]);
  const bridgeId = told.get("rstp_bridge_id");
  if (columns["rstp_enable"] !== true || bridgeId === undefined) return undefined;
  const rootId = told.get("rstp_root_id") ?? "";
  return { bridgeId, rootId, isRoot: rootId === bridgeId, rootPathCost: Number(told.get("rstp_root_path_cost") ?? 0) };
}

/** What the spanning tree has a port do; undefined: nothing. */
export function portTopology({ columns }: MirroredRow): PortRstp | undefined {
  const told = readMap(columns["rstp_status"]);
  const role = roles[told.get("rstp_port_role") ?? ""];
  if (role === undefined) return undefined;
  const state = states[told.get("rstp_port_state") ?? ""] ?? RstpState.RSTP_STATE_UNSPECIFIED;
  return { role, state };
}
