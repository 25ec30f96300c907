import { WireState } from "../../../proto/gen/zor/v1/wire.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a wire is shown. */
export const wireStyle = stateStyles(
  new Map([
    [WireState.WIRE_STATE_ACTIVE, { symbol: "●", word: "active", tone: "good" }],
    [WireState.WIRE_STATE_DOWN, { symbol: "✗", word: "down", tone: "bad" }],
  ]),
);
