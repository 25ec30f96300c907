import { type Link, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { formatBits, formatRtt } from "../../kit/format.js";
import { impairedCondition } from "../../kit/map/impaired.js";
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
    const [rtt, path] = [formatRtt(status.rtt), pathName(status.path)];
    const rates = `→${formatBits(status.aToBBps)} ←${formatBits(status.bToABps)}`;
    return [[rtt === "-" ? "" : rtt, path].filter((part) => part !== "").join(" "), isCarrying(link) ? rates : ""];
  },
};
