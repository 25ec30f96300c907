import type { FlowBuild, FlowPort } from "../flows/flow-set.js";
import { flowTables } from "../flows/pipeline.js";
import type { Rspan } from "../../../proto/gen/zor/v1/lan.js";

/** Before all flows of ports, after the agent's own test frames. */
const priority = 60_000;

/**
 * Copies of mirrors that come from another lan go to where their VLAN is, whatever filters and flows say of the addresses in them: those
 * judge frames, not copies. Undefined: there are no such VLANs; pure.
 */
export function rspanFlowBuild(rspans: readonly Rspan[]): FlowBuild | undefined {
  if (rspans.length === 0) return undefined;
  return (ports) => ({
    flows: ports.filter(leadsElsewhere).flatMap(({ number }) => rspans.map(({ vlan }) => passOf(number, vlan))),
  });
}

function passOf(port: number, vlan: number): string {
  return `table=${flowTables.guards},priority=${priority},in_port=${port},dl_vlan=${vlan},actions=NORMAL`;
}

/** Whether another lan may be behind a port. */
function leadsElsewhere({ endpoint }: FlowPort): boolean {
  return /^links\/|^hosts\/[^/]+\/(a2bs|wires|vteps|phys|bridges)\//.test(endpoint);
}
