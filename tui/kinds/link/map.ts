import { type Link, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { formatBits, formatRtt } from "../../kit/format.js";
import { impairedCondition, impairedFigures } from "../../kit/map/impaired.js";
import type { MapRole } from "../../kit/map/role.js";
import { isCarrying, pathName } from "./facts.js";

/** A cable between two hosts. */
export const linkMap: MapRole<Link> = {
  shape: "cable",
  line: "double",
  endsOf: ({ spec }, name) => [
    { name, word: "a", into: spec?.a ?? "" },
    { name, word: "b", into: spec?.b ?? "" },
  ],
  conditionOf: (link) => {
    if (link.status?.state === LinkState.LINK_STATE_DEGRADED) return "impaired";
    return impairedCondition({ spec: link.spec, status: undefined });
  },
  figuresOf: (link) => {
    const { status } = link;
    if (status === undefined) return [];
    // At most two texts: of an impaired link what is done to its frames, which its probes do not notice.
    const impaired = impairedFigures({ spec: link.spec, status: undefined }).join(" ");
    // What was measured last says nothing of a link that nothing passes.
    if (!isCarrying(link)) return [impaired];
    const [rtt, path] = [formatRtt(status.rtt), pathName(status.path)];
    const measured = [rtt === "-" ? "" : rtt, path].filter((part) => part !== "").join(" ");
    return [impaired === "" ? measured : impaired, `→${formatBits(status.aToBBps)} ←${formatBits(status.bToABps)}`];
  },
};
