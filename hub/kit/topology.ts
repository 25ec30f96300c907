import { failedPrecondition } from "../../lib/errors.js";
import type { Lan } from "../../proto/gen/zor/v1/lan.js";
import type { Links } from "../kinds/link/links.js";
import type { Inventory } from "./inventory.js";
import { findLoop, type Joint, jointOfBox, jointOfLink, lansWithoutRstp, loopText } from "./loops.js";

/** What the topology is read from. */
export interface TopologyOptions {
  readonly links: Links;
  readonly inventory: Inventory;
}

/** A joint that is about to be made. */
export interface NewJoint extends Joint {
  /** It may close a loop whose lans all run RSTP. */
  readonly allowRstp: boolean;
  /** Lans that were made a moment ago, and may not have come through the watch yet. */
  readonly fresh?: readonly Lan[];
}

/** Everything that joins lans, of the whole fleet, as far as it is known. */
function jointsOf({ links, inventory }: TopologyOptions): Joint[] {
  const cables = links
    .list()
    .filter(({ deleting }) => !deleting)
    .map(({ link }) => jointOfLink(link));
  return [...cables, ...inventory.log.list("a2b").map(jointOfBox)];
}

/** @throws {ZorError} FAILED_PRECONDITION with reason LINK_LOOP that names the loop, unless RSTP may and will break it. */
export function checkLoop(options: TopologyOptions, { name, a, b, allowRstp, fresh = [] }: NewJoint): void {
  // One of the same name is the same again: a retry, or a clash of names that others tell of.
  const others = jointsOf(options).filter((joint) => joint.name !== name);
  const loop = findLoop(a, b, others);
  if (loop === undefined) return;
  const byName = new Map(fresh.map((lan) => [lan.name, lan]));
  const without = lansWithoutRstp(loop, (lan) => options.inventory.log.find("lan", lan) ?? byName.get(lan));
  if (allowRstp && without.length === 0) return;
  const remedy =
    without.length === 0
      ? 'all of its lans run RSTP, so it can be made with loop RSTP ("--loop rstp")'
      : `delete a part of it; or have all of its lans run RSTP (${without.join(", ")} ${without.length === 1 ? "does" : "do"} not: "zor create lan --rstp")${allowRstp ? "" : ' and allow the loop with "--loop rstp"'}`;
  throw failedPrecondition(
    "LINK_LOOP",
    name,
    `${name} would close a loop of lans, in which frames circle for ever: ${loopText(loop)}; ${remedy}`,
  );
}
