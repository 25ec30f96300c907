import { VtepState } from "../../../proto/gen/zor/v1/vtep.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a vtep is shown. */
export const vtepStyle = stateStyles(
  new Map([
    [VtepState.VTEP_STATE_UP, { symbol: "●", word: "up", tone: "good" }],
    [VtepState.VTEP_STATE_UNPROVEN, { symbol: "○", word: "up-unproven", tone: "plain" }],
    [VtepState.VTEP_STATE_BROKEN, { symbol: "✗", word: "broken", tone: "bad" }],
  ]),
);
