import { PoolState } from "../../../proto/gen/zor/v1/pool.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a pool is shown. */
export const poolStyle = stateStyles(
  new Map([
    [PoolState.POOL_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
    [PoolState.POOL_STATE_UNAVAILABLE, { symbol: "✗", word: "unavailable", tone: "bad" }],
  ]),
);
