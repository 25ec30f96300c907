import { TapState } from "../../../proto/gen/zor/v1/tap.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a tap is shown. */
export const tapStyle = stateStyles(
  new Map([
    [TapState.TAP_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
    [TapState.TAP_STATE_BROKEN, { symbol: "✗", word: "broken", tone: "bad" }],
  ]),
);
