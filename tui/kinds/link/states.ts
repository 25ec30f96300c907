import { LinkState, linkStateToJSON } from "../../../proto/gen/zor/v1/link.js";
import { stateStyles } from "../../kit/states.js";

/** How a link's state is shown. */
export const linkStyle = stateStyles(
  new Map([
    [LinkState.LINK_STATE_ACTIVE, { symbol: "●", word: "active", tone: "good" }],
    [LinkState.LINK_STATE_PROBING, { symbol: "◐", word: "probing", tone: "busy" }],
    [LinkState.LINK_STATE_PENDING, { symbol: "○", word: "pending", tone: "dim" }],
    [LinkState.LINK_STATE_DEGRADED, { symbol: "!", word: "degraded", tone: "warn" }],
    [LinkState.LINK_STATE_DOWN, { symbol: "✗", word: "down", tone: "bad" }],
    [LinkState.LINK_STATE_DELETING, { symbol: "◌", word: "deleting", tone: "busy" }],
  ]),
);

/** "ACTIVE", "DOWN" and so on. */
export function linkStateName(state: LinkState): string {
  return linkStateToJSON(state).replace("LINK_STATE_", "");
}
