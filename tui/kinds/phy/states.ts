import { PhyState } from "../../../proto/gen/zor/v1/phy.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a phy is shown. */
export const phyStyle = stateStyles(
  new Map([
    [PhyState.PHY_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
    [PhyState.PHY_STATE_UNPLUGGED, { symbol: "○", word: "unplugged", tone: "warn" }],
    [PhyState.PHY_STATE_BROKEN, { symbol: "✗", word: "broken", tone: "bad" }],
    [PhyState.PHY_STATE_GIVEN_BACK, { symbol: "◌", word: "given-back", tone: "dim" }],
  ]),
);
