import { A2bState, a2bStateToJSON } from "../../../proto/gen/zor/v1/a2b.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of an in-line box is shown. */
export const a2bStyle = stateStyles(
  new Map([
    [A2bState.A2B_STATE_ACTIVE, { symbol: "●", word: "active", tone: "good" }],
    [A2bState.A2B_STATE_DOWN, { symbol: "✗", word: "down", tone: "bad" }],
  ]),
);

/** "ACTIVE" or "DOWN". */
export function a2bStateName(state: A2bState): string {
  return a2bStateToJSON(state).replace("A2B_STATE_", "");
}
