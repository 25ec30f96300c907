import { addPort, adjustPort, type PluggedDevice, removePort, tagKeys } from "../bridge-operations.js";
import type { OvsdbOperation } from "../ovs/ovsdb-client.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { findScalar } from "../ovs/ovsdb-values.js";
import { findBond, interfacesOf, nameOf, tagsOf } from "./bridge-rows.js";
import { checkMirrorEnd } from "./mirror-rows.js";
import type { PlugOptions } from "./plug.js";

/** What is known of a port that is plugged in. */
interface Given {
  readonly agentUid: string;
  readonly ifindex: string;
  /** The OpenFlow number that it is to have; undefined: whichever. */
  readonly number: number | undefined;
  /** Where the database has it already. */
  readonly present: PluggedDevice | undefined;
}

/** Operations that bring a port into a bridge with its settings, from wherever it is; none when it is there. @throws {ZorError} FAILED_PRECONDITION */
export function plugOperations(
  mirror: OvsdbMirror,
  bridge: MirroredRow,
  options: PlugOptions,
  { agentUid, ifindex, number, present }: Given,
): OvsdbOperation[] {
  const { port, lan, endpoint, settings, bond } = options;
  checkMirrorEnd(mirror, bridge, options);
  const tags = {
    [tagKeys.agent]: agentUid,
    [tagKeys.lan]: lan,
    [tagKeys.endpoint]: endpoint,
    [tagKeys.ifindex]: ifindex,
  };
  const [mtu] = interfacesOf(mirror, bridge).map((row) => findScalar(row.columns["mtu_request"]));
  const joined = bond === undefined ? undefined : findBond(mirror, bridge, bond.port);
  const row = { bridge, port, tags, settings, number, mtu: typeof mtu === "number" ? mtu : undefined };
  const add = addPort({ ...row, bond, joined });
  if (present === undefined) return add;
  const isThere = present.bridge.uuid === bridge.uuid && nameOf(present.row) === (bond?.port ?? port);
  const unchanged = isThere && tagsOf(present.device).get(tagKeys.endpoint) === endpoint;
  if (unchanged) return adjustPort(present.row, settings, bond?.primary);
  return [...removePort(present), ...add];
}
