import { failedPrecondition } from "../../../lib/errors.js";
import { findBridge, nameOf } from "../lans/bridge-rows.js";
import type { Switch } from "../ovs/switch.js";

/** @throws {ZorError} FAILED_PRECONDITION: the switch cannot tell connections, which filters go by. */
export async function assertConntrack(
  opened: Pick<Switch, "mirror" | "agentUid" | "knowsConnections">,
  lan: string,
): Promise<void> {
  const bridge = findBridge(opened.mirror, opened.agentUid, lan);
  if (bridge === undefined || (await opened.knowsConnections(nameOf(bridge)))) return;
  throw failedPrecondition(
    "NO_CONNTRACK",
    `lans/${lan}`,
    "the switch of this host does not track connections, which filters of interfaces need: upgrade Open vSwitch, or take the filter away",
  );
}
