import { type Link, LinkState } from "../../../proto/gen/zor/v1/link.js";
import type { ToldJoint } from "../../kit/topology.js";

/** What a link joins. */
export function jointOfLink({ name, spec, status }: Link): ToldJoint {
  return { name, a: spec?.a ?? "", b: spec?.b ?? "", leaving: status?.state === LinkState.LINK_STATE_DELETING };
}
