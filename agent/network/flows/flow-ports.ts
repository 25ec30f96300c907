import { tagKeys } from "../bridge-operations.js";
import { nameOf, tagsOf } from "../lans/bridge-rows.js";
import { toTestPortName } from "../names.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { findScalar } from "../ovs/ovsdb-values.js";
import type { FlowPort } from "./flow-set.js";

/** The last that a port may be asked to have (OFPP_MAX of OpenFlow 1.0, in which half of Open vSwitch counts). */
const lastNumber = 0xfeff;

/** The ports of a bridge that flows may refer to. */
export interface BridgePorts {
  readonly ports: readonly FlowPort[];
  /** Number of the lan's test port. */
  readonly testPort: number | undefined;
}

/** The number that a port of a bridge can have which is plugged in next; pure. @param expected what is about to be, too. */
export function nextNumber(mirror: OvsdbMirror, bridge: MirroredRow, expected: ReadonlyMap<string, FlowPort>): number {
  const rows = mirror.follow(bridge, "ports", "Port").flatMap((port) => mirror.follow(port, "interfaces", "Interface"));
  const numbers = [
    ...rows.map(({ columns }) => Number(findScalar(columns["ofport"]) ?? 0)),
    ...[...expected.values()].map(({ number }) => number),
  ];
  // The bridge's own is the last of all.
  return Math.max(0, ...numbers.filter((number) => number < lastNumber)) + 1;
}

/** What is plugged into a bridge, and has a number; pure. @param expected what is about to be plugged in, by port. */
export function flowPortsOf(
  mirror: OvsdbMirror,
  bridge: MirroredRow,
  expected: ReadonlyMap<string, FlowPort> = new Map(),
): BridgePorts {
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
  const coming = [...expected.values()].filter(({ port }) => !ports.some((each) => each.port === port));
  ports.push(...coming);
  return { ports: ports.sort((a, b) => a.number - b.number), testPort };
}
