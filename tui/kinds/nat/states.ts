import { NatState } from "../../../proto/gen/zor/v1/nat.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a nat is shown. */
export const natStyle = stateStyles(
  new Map([
    [NatState.NAT_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
    [NatState.NAT_STATE_BROKEN, { symbol: "✗", word: "broken", tone: "bad" }],
  ]),
);
