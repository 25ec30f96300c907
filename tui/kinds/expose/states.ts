import { ExposeState } from "../../../proto/gen/zor/v1/expose.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of an expose is shown. */
export const exposeStyle = stateStyles(
  new Map([
    [ExposeState.EXPOSE_STATE_LISTENING, { symbol: "●", word: "listening", tone: "good" }],
    [ExposeState.EXPOSE_STATE_BROKEN, { symbol: "✗", word: "broken", tone: "bad" }],
  ]),
);
