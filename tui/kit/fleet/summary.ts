import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import type { Fleet } from "./fleet.js";
import { a2bStyle, hostStyle, instanceStyle, linkStyle, type StateStyle, unreachableStyle } from "../states.js";

/** How many of a kind are in a state. */
export interface StateCount {
  readonly style: StateStyle;
  readonly count: number;
}

/** Counts for the header, each with the states that occur, worst last. */
export interface FleetSummary {
  readonly hosts: readonly StateCount[];
  readonly instances: readonly StateCount[];
  readonly links: readonly StateCount[];
  readonly a2bs: readonly StateCount[];
  readonly hostsTotal: number;
  readonly instancesTotal: number;
  readonly lansTotal: number;
  readonly linksTotal: number;
  readonly a2bsTotal: number;
}

const toneOrder = ["good", "busy", "plain", "strong", "accent", "dim", "warn", "bad"];

/** A reader of the counts that computes them again only after something changed. */
export function createSummary(fleet: Fleet): () => FleetSummary {
  let key = "";
  let summary: FleetSummary | undefined;
  return () => {
    const { hosts, instances, lans, links, a2bs } = fleet.tables;
    const current = `${hosts.version} ${instances.version} ${lans.version} ${links.version} ${a2bs.version}`;
    if (summary !== undefined && key === current) return summary;
    key = current;
    summary = {
      hosts: countStates(hosts.counts, hostStyle),
      instances: countStates(instances.counts, instanceStyle, (host) => fleet.isReachable(host)),
      links: countStates(links.counts, linkStyle),
      a2bs: countStates(a2bs.counts, a2bStyle, (host) => fleet.isReachable(host)),
      hostsTotal: hosts.size,
      instancesTotal: instances.size,
      lansTotal: lans.size,
      linksTotal: links.size,
      a2bsTotal: a2bs.size,
    };
    return summary;
  };
}

/** Adds up the hosts; what is on a host that does not answer counts as unreachable, whatever it was. */
function countStates(
  counts: ReadonlyMap<string, ReadonlyMap<number, number>>,
  styleOf: (state: number) => StateStyle,
  isReachable: (host: string) => boolean = () => true,
): readonly StateCount[] {
  const sums = new Map<StateStyle, number>();
  for (const [host, states] of counts) {
    const reachable = isReachable(host);
    for (const [state, count] of states) {
      const style = reachable ? styleOf(state) : unreachableStyle;
      sums.set(style, (sums.get(style) ?? 0) + count);
    }
  }
  return [...sums]
    .map(([style, count]) => ({ style, count }))
    .sort((left, right) => toneOrder.indexOf(left.style.tone) - toneOrder.indexOf(right.style.tone));
}

/** Whether an instance in this state uses its host's CPU and may be talked to. */
export function isUp(state: InstanceState | undefined): boolean {
  return (
    state === InstanceState.INSTANCE_STATE_RUNNING ||
    state === InstanceState.INSTANCE_STATE_PAUSED ||
    state === InstanceState.INSTANCE_STATE_STARTING ||
    state === InstanceState.INSTANCE_STATE_STOPPING ||
    state === InstanceState.INSTANCE_STATE_UNKNOWN
  );
}
