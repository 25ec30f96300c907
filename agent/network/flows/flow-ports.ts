import { tagKeys } from "../bridge-operations.js";
import { nameOf, tagsOf } from "../lans/bridge-rows.js";
import { toTestPortName } from "../names.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { findScalar } from "../ovs/ovsdb-values.js";
import type { FlowPort } from "./flow-set.js";

/** The ports of a bridge that flows may refer to. */
export interface BridgePorts {
  readonly ports: readonly FlowPort[];
  /** Number of the lan's test port. */
  readonly testPort: number | undefined;
}

/** What is plugged into a bridge, and has a number; pure. */
export function flowPortsOf(mirror: OvsdbMirror, bridge: MirroredRow): BridgePorts {
  const testName = toTestPortName(tagsOf(bridge).get(tagKeys.lanUid) ?? "");
  let testPort: number | undefined;
  const ports: FlowPort[] = [];
  const devices = mirror
    .follow(bridge, "ports", "Port")
    .flatMap((row) => mirror.follow(row, "interfaces", "Interface"));
  for (const device of devices) {
    const number = Number(findScalar(device.columns["ofport"]) ?? -1);
    if (number <= 0) continue;
    const port = nameOf(device);
    const endpoint = tagsOf(device).get(tagKeys.endpoint);
    if (port === testName) testPort = number;
    else if (endpoint !== undefined) ports.push({ port, endpoint, number });
  }
  return { ports: ports.sort((a, b) => a.number - b.number), testPort };
}
